"""What a client asks for, on its way to a process that does it."""

from __future__ import annotations

import json
import os
import socket
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.run.warm_start.client import NUMBER_BYTES, to_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STREAMS = 3


@dataclass(frozen=True)
class Request:
    """A command line of `lds-path`, with what else a process is given."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    streams: Sequence[int]
    """Descriptors of standard input, output and error."""

    @classmethod
    def receive(cls, source: socket.socket) -> Request | None:
        """Return the next request, None if there is no more."""
        length, streams, _, _ = socket.recv_fds(source, NUMBER_BYTES, STREAMS)
        if not length:
            return None
        data = bytearray()
        while len(data) < int.from_bytes(length, "big"):
            part = source.recv(2**16)
            if not part:
                raise ConnectionResetError
            data += part
        return cls(**json.loads(data), streams=streams)

    def send(self, target: socket.socket) -> None:
        """Hand the request over; the streams are open in both processes then."""
        fields = {"arguments": self.arguments, "environment": self.environment}
        data = json.dumps({**fields, "folder": self.folder}).encode()
        socket.send_fds(target, [to_bytes(len(data))], self.streams)
        target.sendall(data)

    def close(self) -> None:
        """Close the streams in this process."""
        for stream in self.streams:
            os.close(stream)

    def adopt(self) -> None:
        """Let this process be the one that was asked for."""
        for number, stream in enumerate(self.streams):
            os.dup2(stream, number)
        self.close()
        os.environ.clear()
        os.environ.update(self.environment)
        os.chdir(self.folder)
        sys.argv = ["lds-path", *self.arguments]


def close_streams() -> None:
    """Let the readers of this process's streams see their end."""
    sys.stdout.flush()
    sys.stderr.flush()
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in range(STREAMS):
        os.dup2(nothing, number)
    os.close(nothing)
