"""The peak is what was used at most, and can start anew for the next stage of one process."""

import sys

import numpy as np
import psutil
import pytest

from lds_path.system import memory
from lds_path.system.memory import (
    RESET,
    free_and_total_memory,
    peak_memory_mib,
    reset_peak_memory,
    resident_memory_mib,
)


def test_the_peak_stays_until_it_is_reset():
    if not RESET.exists():
        pytest.skip("the system has no /proc")
    before = peak_memory_mib()
    np.ones(200 * 2**20, np.uint8).sum()
    assert peak_memory_mib() > before - 1
    held = peak_memory_mib()
    reset_peak_memory()
    assert peak_memory_mib() < held


@pytest.mark.parametrize("has_resource", [True, False])
def test_a_system_without_proc_has_a_peak_too(has_resource, monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "STATUS", tmp_path / "none")
    if not has_resource:
        monkeypatch.setitem(sys.modules, "resource", None)
    present = psutil.Process().memory_info().rss / 2**20
    assert 0.5 * present < peak_memory_mib() < 2**15


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_present_memory_is_what_the_system_says():
    assert resident_memory_mib() == pytest.approx(
        psutil.Process().memory_info().rss / 2**20, rel=0.05
    )


def test_nothing_is_reset_where_there_is_no_proc(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "RESET", tmp_path / "none" / "clear_refs")
    reset_peak_memory()
    assert list(tmp_path.iterdir()) == []


def test_a_container_has_no_more_memory_than_it_may_use(monkeypatch, tmp_path):
    (tmp_path / "limit").write_text(f"{2**20}\n")
    (tmp_path / "none").write_text("max\n")
    monkeypatch.setattr(memory, "LIMITS", [str(tmp_path / "none"), str(tmp_path / "missing")])
    free, total = free_and_total_memory()
    assert 2**20 < free <= total == psutil.virtual_memory().total
    monkeypatch.setattr(memory, "LIMITS", [str(tmp_path / "limit")])
    assert free_and_total_memory() == (2**20, 2**20)
