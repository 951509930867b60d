from __future__ import annotations

import pytest
import torch

from lds_path.errors import UsageError
from lds_path.network.device import choose_device, device_name, mixed_precision


def test_auto_is_a_gpu_where_there_is_one():
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    assert choose_device("cpu").type == "cpu"


def test_an_unknown_device_is_named():
    with pytest.raises(UsageError, match="'tpu' is unknown; use auto, cpu or cuda"):
        choose_device("tpu")


def test_a_cpu_computes_in_full_precision():
    cpu = torch.device("cpu")
    assert device_name(cpu) == "cpu"
    with mixed_precision(cpu):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
