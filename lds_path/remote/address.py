"""The address of a slide on a server, in the place of a path.

An address is in every manifest, page and log of its slide, so it must not hold what opens a door: user
names, passwords and signatures are refused, and no message repeats them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias
from urllib.parse import quote, unquote, urlsplit

from lds_path.errors import UsageError

BUCKETS = ("s3", "gs")
"""Schemes of object stores; the first part of an address is the bucket."""
WEB = ("https", "http")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
"""A drive of Windows has one letter."""
STORE_SUFFIX = ".zarr"
"""End of the name of a folder that is an OME-Zarr."""


@dataclass(frozen=True, order=True)
class RemotePath:
    """Where a slide lies on a server; `parse_address` makes one."""

    address: str
    """Without user name, password, query and fragment."""

    @property
    def scheme(self) -> str:
        """Such as s3."""
        return self.address.partition("://")[0]

    @property
    def root(self) -> str:
        """Scheme with the bucket or the server."""
        return "/".join(self.address.split("/", 3)[:3])

    @property
    def key(self) -> str:
        """Name of the object in its bucket, or path on the server, decoded."""
        key = self.address.split("/", 3)[3]
        return unquote(key) if self.scheme in WEB else key

    @property
    def name(self) -> str:
        """Last part of the key, as that of a file."""
        return PurePosixPath(self.key).name

    @property
    def stem(self) -> str:
        """Name without its suffix."""
        return PurePosixPath(self.key).stem

    @property
    def suffix(self) -> str:
        """End of the name, such as .svs."""
        return PurePosixPath(self.key).suffix

    @property
    def is_in_store(self) -> bool:
        """Whether it leads to an OME-Zarr, or to an image in one: by the names of the folders."""
        return any(part.lower().endswith(STORE_SUFFIX) for part in self.key.split("/"))

    def __truediv__(self, name: str) -> RemotePath:
        """Return what lies in a folder, or further below, by its decoded name."""
        return RemotePath(f"{self.address}/{quote(name) if self.scheme in WEB else name}")

    def joinpath(self, *names: str) -> RemotePath:
        """Return what lies below a folder, as that of a path does."""
        return self / "/".join(names)

    def __str__(self) -> str:
        return self.address


SlidePath: TypeAlias = Path | RemotePath
"""Where a slide lies: on a disk, or on a server."""


def is_address(text: str) -> bool:
    """Return whether a text is an address, of whatever scheme, and not a path."""
    return _SCHEME.match(text) is not None


def to_slide_path(text: str | Path) -> SlidePath:
    """Return a path, or the address that a text is.

    Raises
    ------
    UsageError
        If it is an address that cannot be used.
    """
    return parse_address(text) if isinstance(text, str) and is_address(text) else Path(text)


def parse_address(text: str) -> RemotePath:
    """Return an address as it may be written into manifests and pages.

    Raises
    ------
    UsageError
        If its scheme is unknown, it names no object, or it holds a user name, a password or a query.
    """
    scheme = text.partition("://")[0].lower()
    if scheme not in (*BUCKETS, *WEB):
        known = ", ".join(f"{name}://" for name in (*BUCKETS, *WEB))
        raise UsageError(
            f"an address that begins with {scheme}:// cannot be read; expected {known}; copy the"
            " slide to a disk, or to one of these"
        )
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UsageError(f"an address of {scheme}:// is not valid; check it") from None
    place = (
        parts.path.removesuffix("/")
        if parts.path.lower().endswith(f"{STORE_SUFFIX}/")
        else parts.path
    )
    shown = f"{scheme}://{host}{f':{port}' if port else ''}{place}"
    if "@" in parts.netloc:
        raise UsageError(
            f"the address of {shown} holds a user name or a password, which would stand in every"
            f" manifest and page; leave it out. {_credentials(scheme)}"
        )
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        raise UsageError(
            f"the address of {shown} has a part after ? or #, such as a signature, which would stand"
            f" in every manifest and page; leave it out, or rename the object. {_credentials(scheme)}"
        )
    if not host or not PurePosixPath(place).name:
        where = "a bucket and a key" if scheme in BUCKETS else "a server and a file"
        raise UsageError(f"{shown} names no slide; expected {where}, as {scheme}://.../slide.svs")
    if {"", ".", ".."} & set(place.split("/")[1:]):
        raise UsageError(f"{shown} has an empty part, '.' or '..' between two /; rename the object")
    root = parts.netloc if scheme in BUCKETS else parts.netloc.lower()
    return RemotePath(f"{scheme}://{root}{place}")


def _credentials(scheme: str) -> str:
    """Return where credentials belong instead."""
    if scheme == "s3":
        return (
            "Credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or from a profile"
        )
    if scheme == "gs":
        return "Credentials come from GOOGLE_APPLICATION_CREDENTIALS, or from gcloud"
    return "A file that is not public is to be copied to a disk or into a bucket"
