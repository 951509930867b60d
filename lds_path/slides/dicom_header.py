"""What the elements of a DICOM file before its pixels tell: its series, and that it has them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedReader
    from pathlib import Path

_Tag: TypeAlias = tuple[int, int]

_PREAMBLE = 128
_SYNTAX, _SERIES, _PIXELS = (0x0002, 0x0010), (0x0020, 0x000E), (0x7FE0, 0x0008)
_COLOURS, _FRAMES = (0x0028, 0x0004), (0x7FE0, 0x0010)
_ITEM, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_IMPLICIT = "1.2.840.10008.1.2"
_UNREAD = ("1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99")
"""Big-endian and deflated: retired, or not for images."""
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")
"""Value representations whose length takes four bytes (DICOM PS3.5, 7.1.2)."""
_UNDEFINED = 2**32 - 1
_MAX_ELEMENTS = 2**14
_MAX_UID_BYTES = 64
_JFIF = b"\xff\xd8\xff\xe0"
"""How a JPEG image begins that says of itself that it is YCbCr, where it has three channels."""


def read_series(path: Path) -> str:
    """Return the SeriesInstanceUID of a DICOM file; empty if it has none, or is not DICOM."""
    try:
        with path.open("rb") as stream:
            return _find_series(stream) if stream.read(_PREAMBLE + 4).endswith(b"DICM") else ""
    except (OSError, struct.error, ValueError):
        return ""


def has_pixels(path: Path) -> bool:
    """Return whether a file is DICOM and reaches to its pixels, or may: in a syntax that is not read."""
    try:
        with path.open("rb") as stream:
            if not stream.read(_PREAMBLE + 4).endswith(b"DICM"):
                return False
            return any(
                tag >= _PIXELS or (tag == _SYNTAX and _read_uid(stream, length) in _UNREAD)
                for tag, length in _elements(stream)
            )
    except (OSError, struct.error, ValueError):
        return False


def contradicts_its_frames(path: Path) -> bool:
    """Return whether a DICOM file says RGB of JPEG frames that say of themselves that they are YCbCr."""
    colours = first = b""
    try:
        with path.open("rb") as stream:
            if not stream.read(_PREAMBLE + 4).endswith(b"DICM"):
                return False
            for tag, length in _elements(stream):
                if tag == _COLOURS:
                    colours = stream.read(min(length, _MAX_UID_BYTES)).strip(b" \0")
                elif tag == _FRAMES and length == _UNDEFINED:
                    _, offsets = _read_head(stream, implicit=False)
                    stream.seek(offsets, 1)
                    _read_head(stream, implicit=False)
                    first = stream.read(len(_JFIF))
                if tag >= _FRAMES:
                    break
    except (OSError, struct.error, ValueError):
        return False
    return colours == b"RGB" and first == _JFIF


def _find_series(stream: BufferedReader) -> str:
    """Return the series; those that sequences refer to are passed over."""
    for tag, length in _elements(stream):
        if tag == _SERIES:
            return _read_uid(stream, length)
        if tag > _SERIES:
            break
    return ""


def _elements(stream: BufferedReader) -> Iterator[tuple[_Tag, int]]:
    """Yield tag and length of one element after the other, the stream at its value.

    Ends with the file, or where elements come that are not read.
    """
    syntax = ""
    for _ in range(_MAX_ELEMENTS):
        if syntax in _UNREAD or not stream.peek(1):
            return
        tag, length = _read_head(stream, implicit=syntax == _IMPLICIT)
        value = stream.tell()
        yield tag, length
        stream.seek(value)
        if tag == _SYNTAX:
            syntax = _read_uid(stream, length)
        if length == _UNDEFINED:
            _skip_items(stream, implicit=syntax == _IMPLICIT)
        else:
            stream.seek(value + length)


def _skip_items(stream: BufferedReader, *, implicit: bool) -> None:
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


def _read_head(stream: BufferedReader, *, implicit: bool) -> tuple[_Tag, int]:
    """Return the tag of an element and the length of its value."""
    group, element, rest = struct.unpack("<HH4s", stream.read(8))
    tag = group, element
    if group == _ITEM[0] or (implicit and group != _SYNTAX[0]):
        return tag, int.from_bytes(rest, "little")
    if rest[:2] in _LONG:
        return tag, int.from_bytes(stream.read(4), "little")
    return tag, int.from_bytes(rest[2:], "little")


def _read_uid(stream: BufferedReader, length: int) -> str:
    value = stream.read(min(length, _MAX_UID_BYTES))
    return value.decode("ascii").strip(" \0") if len(value) == length else ""
