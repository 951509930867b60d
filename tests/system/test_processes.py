"""A process knows its cores and those above it, with /proc and without."""

import os
import subprocess
import sys

import pytest

from lds_path.system import processes
from lds_path.system.processes import ancestors, usable_cores


def test_the_ancestors_begin_with_the_parent_and_lead_to_the_first_process():
    assert ancestors()[0] == os.getppid()
    assert ancestors()[-1] == 1


def test_the_ancestors_are_the_same_without_proc(monkeypatch, tmp_path):
    expected = ancestors()
    monkeypatch.setattr(processes, "PROC", tmp_path / "none")
    assert ancestors() == expected


def test_the_cores_are_counted_where_none_can_be_reserved(monkeypatch):
    assert 1 <= usable_cores() <= os.cpu_count()
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_cores() == os.cpu_count()


@pytest.mark.parametrize("without", ["", "del signal.SIGKILL;"])
def test_a_process_ends_at_once_whatever_it_handles(without):
    code = (
        f"import signal; {without} from lds_path.system.processes import end_at_once; end_at_once()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}; print(1)"], capture_output=True, check=False
    )
    assert ended.returncode < 0
    assert ended.stdout == b""
