"""The process that has imported what stages need, and forks for each job; see `warm_start`."""

from __future__ import annotations

import json
import os
import secrets
import selectors
import signal
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from lds_path.run.gc_freeze import frozen_imports
from lds_path.run.warm_start.client import NUMBER_BYTES, SERVER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

STREAMS = 3
LATE = {"segment": ("lds_path.inference.runner", "lds_path.models.checkpoint")}
"""Stage -> what it imports for a slide that is analysed, and not for one in quarantine."""
_SECONDS_TO_ASK = 10.0
_CREDENTIALS = struct.Struct("3i")  # process, user, group


@dataclass(frozen=True)
class Request:
    """A command line of `lds-path`, with what else a process is given."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    streams: Sequence[int]
    """Descriptors of standard input, output and error."""

    def adopt(self) -> None:
        """Let this process be the one that was asked for."""
        for number, stream in enumerate(self.streams):
            os.dup2(stream, number)
            os.close(stream)
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)
        sys.argv = ["lds-path", *self.arguments]


class StageServer:
    """Forks a process for each request; ends a process whose client has ended."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._watch(listener.fileno(), self._accept)

    def next_request(self) -> Request:
        """Return, in a process of its own, what a client asks for; the server never returns."""
        while True:
            for key, _ in self._selector.select():
                request: Request | None = key.data()
                if request is not None:
                    return request

    def _accept(self) -> Request | None:
        """Fork for a new client; return its request in the new process."""
        client, _ = self._listener.accept()
        try:
            request = _read_request(client)
        except (OSError, ValueError, KeyError):
            client.close()
            return None
        _import_packages(request.arguments)
        process = os.fork()
        if not process:
            self._selector.close()
            self._listener.close()
            client.close()
            return request
        for stream in request.streams:
            os.close(stream)
        _tell(client, process)
        end = os.pidfd_open(process)
        self._watch(end, partial(self._tell_end, client, process, end))
        self._watch(client.fileno(), partial(self._kill, client, process))
        return None

    def _tell_end(self, client: socket.socket, process: int, end: int) -> None:
        _, status = os.waitpid(process, 0)
        _tell(client, os.waitstatus_to_exitcode(status))
        with suppress(KeyError):  # its client ended first
            self._selector.unregister(client.fileno())
        self._selector.unregister(end)
        os.close(end)
        client.close()

    def _kill(self, client: socket.socket, process: int) -> None:
        """End the process of a client that says something: that it is gone."""
        os.kill(process, signal.SIGKILL)
        self._selector.unregister(client.fileno())

    def _watch(self, descriptor: int, react: Callable[[], Request | None]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, react)


def start_server() -> subprocess.Popen[bytes] | None:
    """Start the server of this run, and tell the jobs where it is, on a system that can fork safely.

    The server ends with this process, see `parent_watch`.
    """
    if sys.platform != "linux":
        return None
    name = f"lds-path-{secrets.token_hex(16)}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"\0{name}")
        listener.listen(128)
        descriptor = listener.fileno()
        server = subprocess.Popen(
            [sys.executable, "-m", "lds_path.cli", "serve-stages", str(descriptor)],
            pass_fds=[descriptor],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
        )
    os.environ[SERVER] = name
    return server


def _read_request(client: socket.socket) -> Request:
    """Return what a client of the same user asks for."""
    client.settimeout(_SECONDS_TO_ASK)
    size = _CREDENTIALS.size
    _, user, _ = _CREDENTIALS.unpack(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    if user != os.getuid():
        raise PermissionError(f"user {user} is another one")
    length, streams, _, _ = socket.recv_fds(client, NUMBER_BYTES, STREAMS)
    with client.makefile("rb") as stream:
        asked = json.loads(stream.read(int.from_bytes(length, "big")))
    client.settimeout(None)
    return Request(asked["arguments"], asked["environment"], asked["folder"], streams)


def _import_packages(arguments: Sequence[str]) -> None:
    """Import what a command needs, for all later processes; one that fails says so itself."""
    name = next(iter(arguments), "")
    with suppress(Exception), frozen_imports():
        if name.isidentifier() and find_spec(f"lds_path.stages.{name}"):
            for module in (f"lds_path.stages.{name}", *LATE.get(name, ())):
                import_module(module)


def _tell(client: socket.socket, number: int) -> None:
    with suppress(OSError):  # it is gone
        client.sendall(number.to_bytes(NUMBER_BYTES, "big", signed=True))
