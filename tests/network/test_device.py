from __future__ import annotations

import pytest
import torch

from lds_path.errors import UsageError
from lds_path.network.device import (
    choose_device,
    choose_precision,
    describe_gpus,
    device_name,
    mixed_precision,
    take_device,
)
from lds_path.run.gpu_locks import lock_folder


def test_auto_is_a_gpu_where_there_is_one():
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu").type == "cpu"


def test_an_unknown_device_is_named():
    with pytest.raises(UsageError, match="'tpu' is unknown; use auto, cpu, cuda, mps"):
        choose_device("tpu")


def test_the_gpu_of_a_mac_is_taken_on_request_only(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(UsageError, match="there is no MPS device; set `device` to auto or cpu"):
        choose_device("mps")
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: True)
    mac = choose_device("mps")
    assert mac.type == device_name(mac) == "mps"
    assert choose_device("auto").type == "cpu"
    assert not mixed_precision(mac)._enabled
    assert describe_gpus() == ["that of a Mac, by `device: mps`"]


def test_a_cpu_computes_in_full_precision():
    cpu = torch.device("cpu")
    assert device_name(cpu) == f"cpu ({torch.backends.cpu.get_cpu_capability()})"
    with mixed_precision(cpu):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


@pytest.mark.parametrize(("fast", "auto"), [(True, "bfloat16"), (False, "float32")])
def test_a_trained_network_takes_bfloat16_where_the_processor_multiplies_in_it(
    monkeypatch, fast, auto
):
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: fast)
    monkeypatch.setattr("torch.cpu._is_amx_tile_supported", lambda: False)
    cpu = torch.device("cpu")
    assert choose_precision(cpu) == auto
    assert choose_precision(torch.device("cuda")) == "float16"
    assert choose_precision(torch.device("mps")) == "float32"
    for asked in ("float32", "bfloat16"):
        assert choose_precision(cpu, asked) == asked


def test_the_cpu_is_not_locked(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with take_device("cpu") as first, take_device("cpu") as second:
        assert first == second == torch.device("cpu")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_is_held_by_its_uuid(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with take_device("auto") as place:
        assert torch.cuda.current_device() == place.index == 0
        uuid = torch.cuda.get_device_properties(place).uuid
        assert lock_folder() / f"{uuid}.lock" in lock_folder().iterdir()
