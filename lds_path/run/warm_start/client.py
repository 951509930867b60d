"""Stands in for `lds-path` in the job of a rule; a script that imports little, see `warm_start`."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

SERVER = "LDS_PATH_SERVER"
"""Environment variable with the name of the servers' sockets, among those that are no files."""
NETWORK_STAGES = ("screen", "plan", "train", "segment")
"""Stages that need torch: they have a server of their own."""
PASSED_ON = [
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
]
NUMBER_BYTES = 8


class Job:
    """A command that the server runs, and the signals for it."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server
        self._is_accepted = False
        self._waiting: list[int] = []
        self._handled = [
            number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN
        ]
        for number in self._handled:
            signal.signal(number, lambda number, _: self._pass_on(number))

    def run(self) -> int | None:
        """Return the exit status, minus the number of a signal; None if the server does not answer."""
        request = {
            "arguments": sys.argv[1:],
            "environment": dict(os.environ),
            "folder": os.getcwd(),  # noqa: PTH109 - pathlib would be another import
        }
        data = json.dumps(request).encode()
        try:
            self._server.connect(address(os.environ[SERVER], next(iter(sys.argv[1:]), "")))
            socket.send_fds(self._server, [to_bytes(len(data))], [0, 1, 2])
            self._server.sendall(data)
            self._is_accepted = read_number(self._server) is not None
        except (KeyError, OSError):
            return None
        if not self._is_accepted:
            return None
        while self._waiting:
            self._pass_on(self._waiting.pop())
        status = read_number(self._server)
        # A server that ends before a job takes it along.
        return -signal.SIGKILL if status is None else status

    def give_up(self) -> None:
        """Let signals end this process again, as one that came in the meantime does."""
        for handled in self._handled:
            signal.signal(handled, signal.SIG_DFL)
        for number in self._waiting:
            os.kill(os.getpid(), number)

    def _pass_on(self, number: int) -> None:
        if not self._is_accepted:
            self._waiting.append(number)
            return
        try:
            self._server.sendall(bytes([number]))
        except OSError:  # the job has just ended
            return


def main() -> None:
    """Run the command line of this process by the server, or else as `lds-path` does."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        job = Job(server)
        status = job.run()
    if status is None:
        job.give_up()
        os.execv(sys.executable, [sys.executable, "-m", "lds_path.cli", *sys.argv[1:]])
    if status < 0:
        job.give_up()  # a signal that is handled here ends this process too
        os.kill(os.getpid(), -status)
    sys.exit(status)


def address(name: str, stage: str) -> str:
    """Return the address of the server for a stage, or for another command."""
    return f"\0{name}-network" if stage in NETWORK_STAGES else f"\0{name}"


def to_bytes(number: int) -> bytes:
    """Return a number as it is sent."""
    return number.to_bytes(NUMBER_BYTES, "big", signed=True)


def read_number(source: socket.socket) -> int | None:
    """Return the next number that is received, None if there is no more."""
    data = source.recv(NUMBER_BYTES)
    return int.from_bytes(data, "big", signed=True) if len(data) == NUMBER_BYTES else None


if __name__ == "__main__":
    main()
