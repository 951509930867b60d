"""The web server of the command view: this computer only, one address, nothing outside the results.

Addresses start with a random token. `/<token>/report/...` are the files of the report,
`/<token>/zoom/<slide>.json` describes a slide to the viewer, `/<token>/tiles/<slide>/...` are its tiles
and maps, and `/<token>/reviews` is what people noted.
"""

from __future__ import annotations

import errno
import json
import logging
import mimetypes
import re
import secrets
import sys
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit

from lds_path.errors import LdsPathError, UsageError
from lds_path.reporting.zoom.scripts import FOLDER, SERVED_NAME
from lds_path.viewing.reviews import Reviews, read_review
from lds_path.viewing.site import REPORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lds_path.viewing.site import Site

log = logging.getLogger(__name__)

HOST = "127.0.0.1"
LOCAL_NAMES = (HOST, "localhost")
MAX_BODY = 16_384
"""Bytes of a review."""
IDLE_SECONDS = 60
"""Until an idle connection is closed."""
JSON = "application/json"
HEADERS = {
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "default-src 'none'; connect-src 'self'; img-src 'self' data: blob:;"
    " script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'",
}
_TILE = re.compile(r"([0-9]{1,2})/([0-9]{1,6})_([0-9]{1,6})\.(?:jpg|png)")


@dataclass(frozen=True)
class Answer:
    """What a request gets."""

    content: bytes
    kind: str
    """MIME type."""


class ViewServer(ThreadingHTTPServer):
    """The server of one results folder."""

    daemon_threads = True

    def __init__(self, site: Site, port: int) -> None:
        self.site = site
        self.reviews = Reviews(site.results)
        self.token = secrets.token_urlsafe(24)
        super().__init__((HOST, port), Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - its base class's
        """Say nothing of a browser that does not wait for an answer."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @property
    def base(self) -> str:
        """Start of all paths."""
        return f"/{self.token}/"

    @property
    def address(self) -> str:
        """Of the page of the cohort."""
        return f"http://{HOST}:{self.server_port}{self.base}{REPORT}/index.html"

    def find(self, parts: Sequence[str]) -> Answer | None:
        """Return what lies at a path below the token; None if nothing does.

        Raises
        ------
        LdsPathError
            If a file of a stage is missing or damaged.
        """
        match parts:
            case ["report", *rest] if rest == [FOLDER, SERVED_NAME]:
                text = f"window.ldsPathView = {json.dumps(self.base)};\n"
                return Answer(text.encode(), "text/javascript")
            case ["report", *rest]:
                return self._find_file(rest)
            case ["zoom", name] if name.endswith(".json"):
                slide = name.removesuffix(".json")
                described = self.site.describe_slide(
                    slide, f"{self.base}tiles/{quote(slide, safe='')}"
                )
                return Answer(described, JSON) if described else None
            case ["tiles", slide, *rest] if slide in self.site.slides:
                return self._find_tile(slide, rest)
            case ["reviews"]:
                return Answer(self.reviews.to_json(), JSON)
        return None

    def _find_file(self, parts: Sequence[str]) -> Answer | None:
        path = self.site.find_file(parts)
        if path is None:
            return None
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        return Answer(path.read_bytes(), f"{kind}; charset=utf-8" if "text" in kind else kind)

    def _find_tile(self, slide: str, parts: Sequence[str]) -> Answer | None:
        opened = self.site.open_slide(slide)
        if len(parts) == 1:
            content = opened.maps.get(parts[0])
            return Answer(content, "image/png") if content else None
        found = _TILE.fullmatch("/".join(parts[1:]))
        tile = opened.make_tile(parts[0], *map(int, found.groups())) if found else None
        kind = "image/jpeg" if parts[0] == "slide" else "image/png"
        return Answer(tile, kind) if tile else None


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server_version = "lds-path"
    sys_version = ""
    timeout = IDLE_SECONDS
    server: ViewServer

    def do_GET(self) -> None:
        """Answer with what lies at the path."""
        parts = self._parts()
        if parts is None:
            return self._send(None)
        try:
            self._send(self.server.find(parts))
        except LdsPathError as error:
            self._send_problem(HTTPStatus.NOT_FOUND, str(error))

    do_HEAD = do_GET  # noqa: N815 - as http.server calls it

    def do_POST(self) -> None:
        """Keep a review."""
        length = self.headers.get("Content-Length", "")
        if self._parts() != ["reviews"] or self.headers.get_content_type() != JSON:
            self.close_connection = True
            return self._send(None)
        if not length.isdecimal() or int(length) > MAX_BODY:
            self.close_connection = True
            return self._send_problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too long")
        try:
            review = read_review(self.rfile.read(int(length)), self.server.site.slides)
            self.server.reviews.keep(review)
        except UsageError as error:
            return self._send_problem(HTTPStatus.BAD_REQUEST, str(error))
        except OSError as error:
            found = f"{self.server.reviews.path} cannot be written: {error.strerror}"
            return self._send_problem(HTTPStatus.INTERNAL_SERVER_ERROR, found)
        self._send(Answer(self.server.reviews.to_json(), JSON))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as its base class
        """Log a request where somebody looks for it."""
        log.debug(format, *args)

    def _parts(self) -> list[str] | None:
        """Return the parts of the path below the token; None unless this computer asks for them.

        A page of another site that has its name resolved to this computer has another host name.
        """
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        origin = self.headers.get("Origin")
        known = host in LOCAL_NAMES
        known &= origin is None or urlsplit(origin).hostname in LOCAL_NAMES
        _, token, *parts = urlsplit(self.path).path.split("/") + [""] * 2
        known &= secrets.compare_digest(token.encode(), self.server.token.encode())
        return [unquote(part) for part in parts[:-2]] if known else None

    def _send(self, answer: Answer | None) -> None:
        if answer is None:
            return self._send_problem(HTTPStatus.NOT_FOUND, "nothing is here")
        self._send_content(HTTPStatus.OK, answer)

    def _send_problem(self, status: HTTPStatus, text: str) -> None:
        self._send_content(status, Answer(f"{text}\n".encode(), "text/plain; charset=utf-8"))

    def _send_content(self, status: HTTPStatus, answer: Answer) -> None:
        self.send_response(status)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.content)


def make_server(site: Site, port: int) -> ViewServer:
    """Return the server of a results folder, listening on a port; 0 takes a free one.

    Raises
    ------
    UsageError
        If the port is in use or may not be used.
    """
    try:
        return ViewServer(site, port)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            problem = "is in use"
        elif error.errno == errno.EACCES:
            problem = "may not be used without rights of an administrator"
        else:
            raise
        raise UsageError(
            f"port {port} {problem}; name another by --port, or leave it out"
        ) from None
