"""Locks that a killed run left are removed; those of a living one, or of a cluster's, are not."""

import json
import socket
from contextlib import closing

import pytest

from lds_path.run.run_lock import FILE_NAME, RunLock


@pytest.fixture
def folder(tmp_path):
    """The folder of Snakemake after a run on this machine was killed."""
    with closing(RunLock(tmp_path)) as lock:
        lock.describe_run(local=True)
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "0.output.lock").write_text("results/tile/a")
    return tmp_path


def frees(folder):
    """Return whether a process that starts removes the locks."""
    with closing(RunLock(folder)) as lock:
        return lock.freed


def test_the_locks_of_a_killed_run_are_removed_once(folder):
    assert frees(folder)
    assert not (folder / "locks").exists()
    assert not frees(folder)


def test_the_locks_of_a_living_run_stay(folder):
    with closing(RunLock(folder)) as living:
        living.describe_run(local=True)
        (folder / "locks").mkdir()
        (folder / "locks" / "0.output.lock").write_text("results/tile/a")
        assert not frees(folder)
    assert (folder / "locks" / "0.output.lock").exists()


@pytest.mark.parametrize(
    "record",
    [
        json.dumps({"host": "another", "local": True}),
        json.dumps({"host": socket.gethostname(), "local": False}),
        "",
        '{"host": "ha',
    ],
)
def test_locks_stay_where_jobs_may_still_be_at_work_or_nothing_is_known(folder, record):
    (folder / FILE_NAME).write_text(record)
    assert not frees(folder)
    assert (folder / "locks" / "0.output.lock").exists()
