"""Each job has a GPU to itself. The devices are stand-ins: names, of as many as a test wants."""

import logging
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lds_path.errors import UsageError
from lds_path.run.gpu_locks import lock_device, lock_folder, name_devices

UUIDS = ["GPU-1f0a", "GPU-2b7c"]

JOB = """
import sys
from pathlib import Path
from lds_path.run.gpu_locks import lock_device
with lock_device(sys.argv[2:], folder=Path(sys.argv[1])) as index:
    print(index, flush=True)
    sys.stdin.read()
print("torch" in sys.modules, flush=True)
"""


def start_job(folder: Path, names: list[str]) -> subprocess.Popen[str]:
    """Start a process that takes a device, prints its index and keeps it until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", JOB, str(folder), *names],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_line(job: subprocess.Popen[str]) -> str:
    return job.stdout.readline().strip()


def end_job(job: subprocess.Popen[str]) -> str:
    """Let a job end; return the rest of its output."""
    output, _ = job.communicate("")
    return output.strip()


def test_jobs_that_run_together_take_different_devices(tmp_path):
    names = ["a", "b", "c"]
    jobs = [start_job(tmp_path, names) for _ in names]
    assert sorted(read_line(job) for job in jobs) == ["0", "1", "2"]
    assert [end_job(job) for job in jobs] == ["False"] * 3  # none of them loaded torch


def test_a_job_waits_for_a_device_and_says_so(tmp_path, caplog):
    holder = start_job(tmp_path, ["a"])
    assert read_line(holder) == "0"

    def end_holder(record: logging.LogRecord) -> bool:
        assert holder.poll() is None
        end_job(holder)
        return True

    logger = logging.getLogger("lds_path.run.gpu_locks")
    logger.addFilter(end_holder)
    try:
        with lock_device(["a"], folder=tmp_path, poll_seconds=0.01) as index:
            assert index == 0
    finally:
        logger.removeFilter(end_holder)
    assert holder.returncode == 0
    assert "all GPUs (1) are held by other jobs; waiting for one" in caplog.text


def test_the_device_of_a_killed_job_is_free(tmp_path):
    jobs = [start_job(tmp_path, ["a", "b"]) for _ in range(2)]
    held = {read_line(job): job for job in jobs}
    held["1"].send_signal(signal.SIGKILL)
    held["1"].communicate()
    with lock_device(["a", "b"], folder=tmp_path) as index:
        assert index == 1
    end_job(held["0"])


def test_a_device_is_free_again_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), lock_device(["a"], folder=tmp_path):
        _ = 1 / 0
    with lock_device(["a"], folder=tmp_path) as index:
        assert index == 0


def test_processes_that_count_the_same_devices_differently_still_agree(tmp_path):
    """As with CUDA_VISIBLE_DEVICES=0,1 here and 1,0, or one GPU alone, there."""
    with lock_device(name_devices(UUIDS, "0,1"), folder=tmp_path) as first:
        assert first == 0
        with lock_device(name_devices(UUIDS[::-1], "1,0"), folder=tmp_path) as second:
            assert second == 0  # the other one
    with lock_device(name_devices(UUIDS[1:], UUIDS[1]), folder=tmp_path) as alone:
        assert alone == 0
        with lock_device(name_devices(UUIDS, None), folder=tmp_path) as free:
            assert free == 0


def test_slices_of_one_card_are_devices_of_their_own(tmp_path):
    slices = [name_devices(UUIDS[:1], f"MIG-{letter}") for letter in "ab"]
    with lock_device(slices[0], folder=tmp_path), lock_device(slices[1], folder=tmp_path) as index:
        assert index == 0


def test_names_with_separators_stay_in_the_folder(tmp_path):
    folder = tmp_path / "locks"
    with lock_device(["../MIG-GPU-1/2/0"], folder=folder):
        assert [path.parent for path in tmp_path.rglob("*.lock")] == [folder]


def test_the_locks_lie_in_the_runtime_folder_of_the_user(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with lock_device(["a"]):
        assert lock_folder().is_relative_to(tmp_path)
        assert list(lock_folder().iterdir()) == [lock_folder() / "a.lock"]


def test_a_folder_that_cannot_hold_locks_is_named_with_a_remedy(tmp_path):
    (tmp_path / "file").touch()
    expected = r"file/locks cannot hold the locks .*Not a directory.*; set XDG_RUNTIME_DIR"
    with (
        pytest.raises(UsageError, match=expected),
        lock_device(["a"], folder=tmp_path / "file/locks"),
    ):
        pass


def test_a_folder_in_which_others_may_write_holds_no_locks(tmp_path):
    """Another user could take the lock and keep it."""
    tmp_path.chmod(0o777)
    with (
        pytest.raises(UsageError, match=r"can be written by others\); set XDG_RUNTIME_DIR"),
        lock_device(UUIDS, folder=tmp_path),
    ):
        pass
