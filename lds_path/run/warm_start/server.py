"""The process that imports what stages need, and gives their jobs to its workers; see `warm_start`."""

from __future__ import annotations

import atexit
import os
import secrets
import selectors
import socket
import struct
import subprocess
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from multiprocessing import get_context
from typing import TYPE_CHECKING

from lds_path.compiled import load_compiler
from lds_path.run.gc_freeze import frozen_imports
from lds_path.run.warm_start.client import (
    NETWORK_STAGES,
    SERVER,
    address,
    read_number,
    to_bytes,
)
from lds_path.run.warm_start.request import Request
from lds_path.run.warm_start.worker import work

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from multiprocessing.context import ForkProcess

    from lds_path.run.warm_start.worker import Run

LATE = {"segment": ("lds_path.inference.runner", "lds_path.models.checkpoint")}
"""Stage -> what it imports for a slide that is analysed, and not for one in quarantine."""
_STAGES = ("demo", "tile", "detect", "stitch", "assess", "export", "evaluate", "report")
"""The others, in the order in which they are asked for."""
_SECONDS_TO_ASK = 10.0
_CREDENTIALS = struct.Struct("3i")  # process, user, group


@dataclass(eq=False)
class Worker:
    """A process for jobs, and who waits for the present one."""

    process: ForkProcess
    control: socket.socket
    stages: frozenset[str]
    """Stages whose packages it was forked with."""
    client: socket.socket | None = None
    is_ending: bool = False

    @property
    def is_idle(self) -> bool:
        """Whether it can take a job."""
        return self.client is None and not self.is_ending


class StageServer:
    """Gives each request to an idle worker, or forks one for it."""

    def __init__(self, listener: socket.socket, run: Run, *, expected: Sequence[str] = ()) -> None:
        self._listener, self._run = listener, run
        self._expected = deque(expected)
        self._workers: list[Worker] = []
        self._stages: frozenset[str] = frozenset()  # whose packages are imported
        self._selector = selectors.DefaultSelector()
        self._watch(listener, self._accept)

    def serve(self) -> None:
        """Answer clients until this process is ended; while none asks, import what will be needed."""
        while True:
            ready = self._selector.select(0 if self._expected else None)
            for key, _ in ready:
                key.data()
            if self._expected and not ready:
                self._import_packages(self._expected.popleft())

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            request = _read_request(client)
        except (OSError, ValueError, TypeError):
            client.close()
            return
        self._import_packages(next(iter(request.arguments), ""))
        worker = next((worker for worker in self._workers if worker.is_idle), None)
        worker = worker or self._fork(client, request)
        try:
            request.send(worker.control)
        except OSError:  # it has just ended
            client.close()
            return
        finally:
            request.close()
        worker.client = client
        _tell(client, 0)
        self._watch(client, partial(self._pass_signal, worker, client))

    def _fork(self, client: socket.socket, request: Request) -> Worker:
        control, of_worker = socket.socketpair()
        others = [worker.control for worker in self._workers]
        others += [worker.client for worker in self._workers if worker.client is not None]
        inherited = (self._listener, control, client, request, *others)
        process = get_context("fork").Process(target=work, args=(of_worker, inherited, self._run))
        process.start()
        of_worker.close()
        worker = Worker(process, control, self._stages)
        self._workers.append(worker)
        self._watch(control, partial(self._hear, worker))
        return worker

    def _hear(self, worker: Worker) -> None:
        """Tell a client how its job ended: by a message, or by the end of the worker."""
        status = read_number(worker.control)
        if status is None:
            self._forget(worker)
            status = worker.process.exitcode
        client, worker.client = worker.client, None
        if client is not None:
            _tell(client, status or 0)
            self._selector.unregister(client)
            client.close()
        if worker in self._workers and worker.stages != self._stages:
            self._forget(worker)

    def _pass_signal(self, worker: Worker, client: socket.socket) -> None:
        """Send a worker the signal that its client was sent; kill it if the client has ended."""
        process = worker.process.pid
        if worker.client is not client or process is None:  # the job ended in the meantime
            return
        with suppress(ConnectionResetError):
            if number := client.recv(1):
                os.kill(process, number[0])
                return
        self._selector.unregister(client)
        client.close()
        worker.client, worker.is_ending = None, True
        worker.process.kill()

    def _import_packages(self, stage: str) -> None:
        """Import what a stage needs, for all later workers; idle ones that lack it have to go."""
        if stage in self._stages or not stage.isidentifier():
            return
        if find_spec(f"lds_path.stages.{stage}") is None:
            return
        with suppress(Exception), frozen_imports():  # the job says itself why it fails
            for module in (f"lds_path.stages.{stage}", *LATE.get(stage, ())):
                import_module(module)
            load_compiler()
        self._stages |= {stage}
        for worker in [worker for worker in self._workers if worker.is_idle]:
            self._forget(worker)

    def _forget(self, worker: Worker) -> None:
        """Let a worker end that has no job, and wait for it."""
        self._selector.unregister(worker.control)
        worker.control.close()
        worker.process.join()
        self._workers.remove(worker)

    def _watch(self, source: socket.socket, react: Callable[[], None]) -> None:
        self._selector.register(source, selectors.EVENT_READ, react)


def start_servers(stages: Collection[str]) -> list[subprocess.Popen[bytes]]:
    """Start the servers of this run, and tell the jobs where they are, on a system that can fork safely.

    They end with this process, even if that is killed, see `parent_watch`.

    Parameters
    ----------
    stages
        What the run will do, in any order; other commands can be asked for, too.
    """
    if sys.platform != "linux":
        return []
    name = f"lds-path-{secrets.token_hex(16)}"
    network = [stage for stage in NETWORK_STAGES if stage in stages]
    others = [stage for stage in _STAGES if stage in stages]
    servers = [_start_server(address(name, ""), others)]
    if network:
        servers.append(_start_server(address(name, network[0]), network))
    os.environ[SERVER] = name
    return servers


def _start_server(own_address: str, expected: Sequence[str]) -> subprocess.Popen[bytes]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(own_address)
        listener.listen(128)
        descriptor = listener.fileno()
        server = subprocess.Popen(
            [sys.executable, "-m", "lds_path.cli", "serve-stages", str(descriptor), *expected],
            pass_fds=[descriptor],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
    atexit.register(server.kill)
    return server


def _read_request(client: socket.socket) -> Request:
    """Return what a client of the same user asks for."""
    client.settimeout(_SECONDS_TO_ASK)
    size = _CREDENTIALS.size
    _, user, _ = _CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    if user != os.getuid():
        raise PermissionError(f"user {user} is another one")
    request = Request.receive(client)
    if request is None:
        raise ConnectionResetError
    client.settimeout(None)
    return request


def _tell(client: socket.socket, number: int) -> None:
    with suppress(OSError):  # it is gone
        client.sendall(to_bytes(number))
