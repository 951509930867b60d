from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from multiprocessing import get_context
from pathlib import Path
from types import SimpleNamespace

import pytest

from lds_path.run.parent_watch import VARIABLE
from lds_path.run.warm_start import client, worker
from lds_path.run.warm_start.client import SERVER
from lds_path.run.warm_start.request import Request
from lds_path.run.warm_start.server import start_servers

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no other system forks safely")

CLIENT = [sys.executable, "-IS", client.__file__]
TINY = ["--width", "512", "--height", "512"]
LONG = ["demo", "made", "--width", "20000", "--height", "20000"]
"""A command that takes longer than any test waits."""


@pytest.fixture(scope="module", autouse=True)
def heeded_interrupts():
    """Let processes heed SIGINT; those of tests that run in the background would ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def server():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(os.getpid()))
        patch.setenv(SERVER, "")
        (process,) = start_servers(())
        yield process
        process.kill()
        process.wait()


def run(*arguments, **options):
    return subprocess.run(
        [*CLIENT, *arguments], capture_output=True, text=True, check=False, **options
    )


def start(folder):
    """Return a client whose process has begun to write."""
    process = subprocess.Popen([*CLIENT, *LONG], cwd=folder, stderr=subprocess.PIPE)
    wait_for(lambda: any(folder.iterdir()))
    return process


def wait_for(is_so):
    limit = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.05)


def children(process):
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(child) for file in tasks for child in file.read_text().split()]


def test_a_command_gets_its_folder_its_environment_and_its_streams(server, tmp_path):
    done = run("demo", "painted", *TINY, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert (tmp_path / "painted/manifest.json").is_file()
    asked = run("--help", env={**os.environ, "COLUMNS": "60"})
    assert max(map(len, asked.stdout.splitlines())) <= 60
    assert asked.stdout.startswith("Usage: lds-path")


def test_the_manifest_names_the_command_that_was_asked_for(server, tmp_path):
    run("demo", "one", *TINY, cwd=tmp_path)
    manifest = (tmp_path / "one/manifest.json").read_text()
    assert '"command": "lds-path demo one --width 512 --height 512"' in manifest


def test_an_error_is_that_of_the_command(server, tmp_path):
    missing = run("tile", "none.tif", "out", "--strict", cwd=tmp_path)
    assert missing.returncode == 1
    assert "none.tif" in missing.stderr
    assert "Traceback" not in missing.stderr
    assert run("tile", "--no-such-option").returncode == 2


def test_packages_are_imported_once_for_all_jobs(server, tmp_path):
    run("demo", "first", *TINY, cwd=tmp_path)
    maps = Path(f"/proc/{server.pid}/maps").read_text()
    assert "numpy" in maps
    assert "torch" not in maps


def test_what_a_run_will_do_is_imported_before_it_asks_and_torch_only_for_networks(monkeypatch):
    monkeypatch.setenv(VARIABLE, str(os.getpid()))
    monkeypatch.setenv(SERVER, "")
    servers = start_servers({"segment", "detect"})
    for process, package in zip(servers, ("scipy", "torch"), strict=True):
        maps = Path(f"/proc/{process.pid}/maps")
        wait_for(lambda maps=maps, package=package: package in maps.read_text())
    assert "torch" not in Path(f"/proc/{servers[0].pid}/maps").read_text()
    for process, stage in zip(servers, ("detect", "segment"), strict=True):
        assert not children(process.pid)
        assert run(stage, "--help").stdout.startswith(f"Usage: lds-path {stage}")
        assert children(process.pid)
    for process in servers:
        process.kill()
        process.wait()


def test_a_worker_that_is_done_takes_the_next_job_and_one_that_failed_does_not(server, tmp_path):
    run("demo", "first", *TINY, cwd=tmp_path)
    before = children(server.pid)
    run("demo", "second", *TINY, cwd=tmp_path)
    assert children(server.pid) == before
    assert run("tile", "none.tif", "out", "--strict", cwd=tmp_path).returncode == 1
    wait_for(lambda: not set(children(server.pid)) & set(before))


def test_a_command_that_fails_in_an_unknown_way_keeps_its_traceback(server, tmp_path):
    (tmp_path / "deep").symlink_to("deep")
    failed = run("verify", "deep", cwd=tmp_path)
    alone = run("verify", "deep", cwd=tmp_path, env={**os.environ, SERVER: ""})
    assert (failed.returncode, failed.stderr) == (alone.returncode, alone.stderr)
    assert failed.returncode == 1


def test_an_idle_worker_that_was_killed_is_replaced(server, tmp_path):
    run("demo", "first", *TINY, cwd=tmp_path)
    for process in children(server.pid):
        os.kill(process, signal.SIGKILL)
    assert run("demo", "second", *TINY, cwd=tmp_path).returncode == 0


@pytest.mark.parametrize("held", ["memory", "GPU"])
def test_a_worker_that_holds_much_memory_or_a_gpu_ends(monkeypatch, tmp_path, held):
    if held == "memory":
        monkeypatch.setattr(worker, "MAX_IDLE_MIB", 0)
    else:
        cuda = SimpleNamespace(is_initialized=lambda: True)
        monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
        monkeypatch.setattr(worker, "MAX_IDLE_MIB", 10**6)
    own, control = socket.socketpair()
    ran = tmp_path / "ran"
    process = get_context("fork").Process(
        target=worker.work, args=(control, [own], lambda arguments: ran.write_text(arguments[0]))
    )
    process.start()
    control.close()
    null = os.open(os.devnull, os.O_RDWR)
    Request(["command"], dict(os.environ), str(tmp_path), [null] * 3).send(own)
    os.close(null)
    assert own.recv(8) == b""
    own.close()
    process.join()
    assert (process.exitcode, ran.read_text()) == (0, "command")


def test_jobs_run_beside_each_other(server, tmp_path):
    slow = start(tmp_path)
    assert run("--version").returncode == 0
    assert slow.poll() is None
    slow.terminate()
    slow.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_job_in_order(server, tmp_path, number):
    job = start(tmp_path)
    job.send_signal(number)
    try:
        _, errors = job.communicate(timeout=60)
    finally:
        job.kill()
    assert job.returncode != 0
    assert b"Traceback" not in errors
    assert not list(tmp_path.iterdir())


def test_a_job_ends_with_its_client(server, tmp_path):
    job = start(tmp_path)
    assert children(server.pid)
    job.kill()
    job.communicate()
    wait_for(lambda: not children(server.pid))


def test_a_job_that_is_killed_is_reported_as_killed(server, tmp_path):
    job = start(tmp_path)
    for process in children(server.pid):
        os.kill(process, signal.SIGKILL)
    job.communicate(timeout=60)
    assert job.returncode == -signal.SIGKILL


@pytest.mark.parametrize("name", [None, "", "lds-path-that-ended"])
def test_without_a_server_the_command_runs_as_ever(tmp_path, name):
    environment = {key: value for key, value in os.environ.items() if key != SERVER}
    environment |= {} if name is None else {SERVER: name}
    done = run("demo", "made", *TINY, cwd=tmp_path, env=environment)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "made/manifest.json").is_file()


def test_the_server_ends_with_its_run_and_its_jobs_with_it(tmp_path):
    script = (
        "import os, subprocess, sys, time; from lds_path.run.warm_start import server;"
        f" os.environ['{VARIABLE}'] = str(os.getpid()); (started,) = server.start_servers(());"
        f" job = subprocess.Popen({[*CLIENT, *LONG]!r}); print(started.pid, flush=True);"
        " time.sleep(600)"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, text=True
    )
    server = int(run.stdout.readline())
    wait_for(lambda: children(server) and any(tmp_path.iterdir()))
    run.kill()
    run.communicate()
    wait_for(lambda: not Path(f"/proc/{server}").exists())
