"""The peak is what was used at most, and can start anew for the next stage of one process."""

import numpy as np
import pytest

from lds_path.provenance.peak_memory import RESET, peak_memory_mib, reset_peak_memory


def test_the_peak_stays_until_it_is_reset():
    if not RESET.exists():
        pytest.skip("the system has no /proc")
    before = peak_memory_mib()
    np.ones(200 * 2**20, np.uint8).sum()
    assert peak_memory_mib() > before - 1
    held = peak_memory_mib()
    reset_peak_memory()
    assert peak_memory_mib() < held


def test_a_system_without_proc_has_a_peak_too(monkeypatch, tmp_path):
    monkeypatch.setattr("lds_path.provenance.peak_memory.STATUS", tmp_path / "none")
    assert peak_memory_mib() > 10
