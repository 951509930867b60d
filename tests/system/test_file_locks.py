"""A lock is held by one process; where there are none, nothing is ever taken for free."""

import errno
import os
from contextlib import closing
from pathlib import Path

import pytest

from lds_path.provenance.complete_file import MARKER, complete_folder
from lds_path.run.run_lock import RunLock
from lds_path.system import file_locks
from lds_path.system.file_locks import share_lock, try_lock


@pytest.fixture
def no_locks(monkeypatch):
    """A system without locks of files."""
    monkeypatch.setattr(file_locks, "HAS_LOCKS", False)
    monkeypatch.setattr("lds_path.provenance.complete_file.HAS_LOCKS", False)


def open_twice(path):
    return path.open("w", encoding="utf-8"), path.open("w", encoding="utf-8")


def test_one_holds_a_lock_until_it_closes_the_file(tmp_path):
    first, second = open_twice(tmp_path / "lock")
    with second:
        with first:
            assert try_lock(first)
            assert not try_lock(second)
        assert try_lock(second)


def test_a_shared_lock_admits_others_that_share_it_only(tmp_path):
    first, second = open_twice(tmp_path / "lock")
    with first, second:
        share_lock(first)
        share_lock(second)
        assert not try_lock(first)


@pytest.fixture
def renames_of_windows(monkeypatch):
    """A system that renames no folder while a file in it is open."""
    rename = Path.rename

    def rename_closed(path, target):
        opened = (os.path.realpath(link) for link in Path("/proc/self/fd").iterdir())
        if any(Path(file).is_relative_to(path) for file in opened):
            raise PermissionError(errno.EACCES, "Access is denied", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", rename_closed)


@pytest.mark.usefixtures("no_locks", "renames_of_windows")
def test_without_locks_folders_are_complete_and_none_is_taken_for_abandoned(tmp_path):
    other = tmp_path / f".out.0123abcd{MARKER}"
    other.mkdir()
    (other / MARKER).touch()
    for text in ("first", "second"):
        with complete_folder(tmp_path / "out") as folder:
            (folder / "file").write_text(text)
    assert (tmp_path / "out" / "file").read_text() == "second"
    assert {path.name for path in tmp_path.iterdir()} == {"out", other.name}


@pytest.mark.usefixtures("no_locks")
def test_without_locks_those_of_a_run_stay_for_snakemake_to_unlock(tmp_path):
    with closing(RunLock(tmp_path)) as lock:
        lock.describe_run(local=True)
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "0.output.lock").touch()
    with closing(RunLock(tmp_path)) as lock:
        assert not lock.freed
    assert (tmp_path / "locks" / "0.output.lock").exists()
