"""The series that a DICOM file belongs to, from its first elements."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

_PREAMBLE = 128
_SYNTAX, _SERIES = (0x0002, 0x0010), (0x0020, 0x000E)
_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_IMPLICIT = "1.2.840.10008.1.2"
_UNREAD = ("1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")
"""Big-endian and deflated: retired, or not for images."""
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
"""Value representations whose length takes four bytes (DICOM PS3.5, 7.1.2)."""
_UNDEFINED = 2**32 - 1
_MAX_ELEMENTS = 2**14
_MAX_UID_BYTES = 64


def read_series(path: Path) -> str:
    """Return the SeriesInstanceUID of a DICOM file; empty if it has none, or is not DICOM."""
    try:
        with path.open("rb") as stream:
            return _find_series(stream) if stream.read(_PREAMBLE + 4).endswith(b"DICM") else ""
    except (OSError, struct.error, ValueError):
        return ""


def _find_series(stream: BinaryIO) -> str:
    """Return the series; those that sequences refer to are passed over."""
    syntax = ""
    for _ in range(_MAX_ELEMENTS):
        tag, length = _read_head(stream, implicit=syntax == _IMPLICIT)
        if tag == _SYNTAX:
            syntax = _read_uid(stream, length)
        elif tag == _SERIES:
            return _read_uid(stream, length)
        elif tag > _SERIES or syntax in _UNREAD:
            return ""
        elif length == _UNDEFINED:
            _skip_items(stream, implicit=syntax == _IMPLICIT)
        else:
            stream.seek(length, 1)
    return ""


def _skip_items(stream: BinaryIO, *, implicit: bool) -> None:
    """Pass over the items of a sequence whose length is not stated."""
    depth = 1
    for _ in range(_MAX_ELEMENTS):
        tag, length = _read_head(stream, implicit=implicit)
        if tag == _SEQUENCE_END:
            depth -= 1
        elif length != _UNDEFINED:
            stream.seek(length, 1)
        elif tag != _ITEM:
            depth += 1
        if not depth:
            return


def _read_head(stream: BinaryIO, *, implicit: bool) -> tuple[tuple[int, int], int]:
    """Return the tag of an element and the length of its value."""
    group, element, rest = struct.unpack("<HH4s", stream.read(8))
    tag = group, element
    if group == _ITEM[0] or (implicit and group != _SYNTAX[0]):
        return tag, int.from_bytes(rest, "little")
    if rest[:2] in _LONG:
        return tag, int.from_bytes(stream.read(4), "little")
    return tag, int.from_bytes(rest[2:], "little")


def _read_uid(stream: BinaryIO, length: int) -> str:
    return stream.read(min(length, _MAX_UID_BYTES)).decode("ascii").strip(" \0")
