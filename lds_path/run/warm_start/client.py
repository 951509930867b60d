"""Stands in for `lds-path` in the job of a rule; a script that imports little, see `warm_start`."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys

SERVER = "LDS_PATH_SERVER"
"""Environment variable with the name of the server's socket, among those that are no files."""
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
NUMBER_BYTES = 8


class Job:
    """The process that the server forks, and the signals for it."""

    def __init__(self) -> None:
        self._process: int | None = None
        self._waiting: list[int] = []
        self._handled = [
            number for number in PASSED_ON if signal.getsignal(number) is not signal.SIG_IGN
        ]
        for number in self._handled:
            signal.signal(number, lambda number, _: self._pass_on(number))

    def run(self, server: socket.socket) -> int | None:
        """Return the exit status, minus the number of a signal; None if the server does not answer."""
        request = {
            "arguments": sys.argv[1:],
            "environment": dict(os.environ),
            "folder": os.getcwd(),  # noqa: PTH109 - pathlib would be another import
        }
        data = json.dumps(request).encode()
        try:
            server.connect(f"\0{os.environ[SERVER]}")
            socket.send_fds(server, [len(data).to_bytes(NUMBER_BYTES, "big")], [0, 1, 2])
            server.sendall(data)
            self._process = _next_number(server)
        except (KeyError, OSError):
            return None
        if self._process is None:
            return None
        while self._waiting:
            self._pass_on(self._waiting.pop())
        status = _next_number(server)
        # A server that ends before a process takes it along.
        return -signal.SIGKILL if status is None else status

    def give_up(self) -> None:
        """Let signals end this process again, as one that came in the meantime does."""
        for handled in self._handled:
            signal.signal(handled, signal.SIG_DFL)
        for number in self._waiting:
            os.kill(os.getpid(), number)

    def _pass_on(self, number: int) -> None:
        if self._process is None:
            self._waiting.append(number)
            return
        try:
            os.kill(self._process, number)
        except ProcessLookupError:  # it has just ended
            return


def main() -> None:
    """Run the command line of this process by the server, or else as `lds-path` does."""
    job = Job()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        status = job.run(server)
    if status is None:
        job.give_up()
        os.execv(sys.executable, [sys.executable, "-m", "lds_path.cli", *sys.argv[1:]])
    if status < 0:
        job.give_up()  # the signals that it handles end it
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _next_number(server: socket.socket) -> int | None:
    """Return the next number from the server, None if there is no more."""
    data = server.recv(NUMBER_BYTES)
    return int.from_bytes(data, "big", signed=True) if len(data) == NUMBER_BYTES else None


if __name__ == "__main__":
    main()
