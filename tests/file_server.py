"""A web server on this computer that sends parts of files, counts bytes, and fails as it is told."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass
class FileServer:
    """The files of a server by their paths, how it behaves, and what it has sent."""

    files: dict[str, bytes] = field(default_factory=dict)
    """Path, with the first slash -> content."""
    address: str = ""
    ranges: bool = True
    """Whether it sends parts of files."""
    etags: bool = True
    modified: str = "Wed, 01 Jan 2025 00:00:00 GMT"
    """When all files were written."""
    status: int = 0
    """Answer to every request, instead of the file."""
    body: bytes = b""
    """Text of that answer."""
    broken: int = 0
    """Answers to come whose connection breaks after half of their bytes."""
    sent: Counter[str] = field(default_factory=Counter)
    """Path -> bytes of its file that were sent."""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and range of each request."""


class Handler(BaseHTTPRequestHandler):
    """Answers HEAD and GET."""

    protocol_version = "HTTP/1.1"

    def __init__(self, server: FileServer, *args: object) -> None:
        self.state = server
        super().__init__(*args)

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        state, path = self.state, unquote(self.path)
        asked = RANGE.fullmatch(self.headers.get("Range", ""))
        state.requests.append((self.command, path, self.headers.get("Range", "")))
        if state.status or path not in state.files:
            body = state.body if state.status else b""
            self._send(state.status or 404, body, {}, with_body=with_body)
            return
        content = state.files[path]
        headers = {"Last-Modified": state.modified}
        if state.etags:
            headers["ETag"] = f'"{hashlib.md5(content).hexdigest()}"'
        if asked is None or not state.ranges:
            self._send(200, content, headers, with_body=with_body)
            return
        first = int(asked[1])
        last = min(int(asked[2] or len(content) - 1), len(content) - 1)
        headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        self._send(206, content[first : last + 1], headers, with_body=with_body)

    def _send(self, status: int, body: bytes, headers: dict[str, str], *, with_body: bool) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        self.end_headers()
        if not with_body:
            return
        if self.state.broken > 0:
            self.state.broken -= 1
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.close_connection = True
            return
        if status in (200, 206):
            # Counted first: who has read the answer looks at the count at once.
            self.state.sent[unquote(self.path)] += len(body)
        self.wfile.write(body)


@contextmanager
def file_server(**files: bytes) -> Iterator[FileServer]:
    """Serve files by their names until the end of the context."""
    state = FileServer({f"/{name}": content for name, content in files.items()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, state))
    server.daemon_threads = True
    state.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
