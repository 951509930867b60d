"""What a run finds when it starts, and what its jobs know of that."""

import os
import time
from contextlib import closing

import pytest

from lds_path.errors import UsageError
from lds_path.provenance.fingerprint import sha256
from lds_path.run.future_times import NAME
from lds_path.run.replaced_files import WatchedInput
from lds_path.run.run_lock import RunLock
from lds_path.run.run_start import RECORD_NAME, join_run, start_run


@pytest.fixture
def state(tmp_path):
    return tmp_path / ".snakemake"


def start(state, files=()):
    watched = {str(path): WatchedInput(path, (path,)) for path in files}
    started = start_run(state, state.parent / "results", watched)
    started.lock.close()
    return started


def test_the_first_run_finds_nothing_and_holds_a_lock(state):
    started = start_run(state, state.parent / "results", {})
    with closing(started.lock):
        assert started.messages == ()
        assert started.replacements == {}


def test_a_lock_that_a_killed_run_left_is_removed_and_named(state):
    with closing(RunLock(state)) as lock:
        lock.describe_run(local=True)
    (state / "locks").mkdir()
    (state / "locks/0.output.lock").touch()
    assert start(state).messages == ("The last run was killed and left a lock; it is removed.",)
    assert start(state).messages == ()


def test_results_from_the_future_are_counted(state):
    path = state.parent / "results/tile/a" / NAME
    path.parent.mkdir(parents=True)
    path.touch()
    os.utime(path, (time.time() + 1000, time.time() + 1000))
    assert start(state).messages[0].startswith("1 results are from the future, as if the clock")
    assert start(state).messages == ()


def test_a_job_knows_the_replacements_that_its_run_found(state, tmp_path):
    path = tmp_path / "labels.png"
    path.write_text("first")
    start(state, [path])
    path.write_text("second")
    assert join_run(state).replacements == {str(path): ""}
    assert start(state, [path]).replacements == {str(path): sha256(path)}
    assert join_run(state).replacements == {str(path): sha256(path)}
    assert join_run(state).lock is None


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=f"{tmp_path} cannot be written: File exists"):
        start_run(tmp_path / "file", tmp_path, {})


def test_a_record_that_cannot_be_written_is_named(state, tmp_path):
    path = tmp_path / "labels.png"
    path.touch()
    (state / RECORD_NAME).mkdir(parents=True)
    with pytest.raises(UsageError, match=f"{tmp_path} cannot be written: Is a directory"):
        start_run(state, tmp_path, {str(path): WatchedInput(path, (path,))})
