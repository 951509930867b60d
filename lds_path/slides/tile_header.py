"""The size that a compressed tile states, read before a decoder allocates its pixels.

A TIFF states the size of its tiles, but a JPEG or JPEG 2000 tile states its own size, and decoders
trust the tile: a few megabytes can ask for many gigabytes.

The segments of a JPEG are followed here, not by Pillow: it looks for a frame in segments that it
does not know and takes the last of several, where decoders skip them and take the first, so that a tile
could show it a small frame and them a large one. The decoders (libjpeg, and the one for lossless
JPEG that imagecodecs tries next) differ from each other too, so whatever can be read in two ways
is refused.
"""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING

from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

if TYPE_CHECKING:
    from collections.abc import Iterator
    from mmap import mmap

    from PIL.ImageFile import ImageFile

JPEG_START = b"\xff\xd8"
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of a frame, which states the size (ITU-T T.81, table B.1)."""
JPEG_SEGMENTS = JPEG_FRAMES | {0xC4, 0xCC, 0xDB, 0xDC, 0xDD, *range(0xE0, 0xF0), 0xFE}
"""Markers of all segments that may stand before the first scan: tables, APPn, a comment."""
JPEG_SCAN = 0xDA
J2K_START, J2K_BOX = b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "
"""Start of a codestream with its SIZ marker (ITU-T T.800, A.5.1), and of a JP2 file around one."""
OTHERS: dict[bytes, type[ImageFile]] = {b"\x89PNG": PngImageFile, b"RIFF": WebPImageFile}
"""What reads a header without decoding the pixels, by the first bytes.

`Image.open` would do, but its warnings can be silenced only for all threads at once.
"""
UNKNOWN = frozenset((22610, 34934, 48124, 50002, 52546, 65000, 65001, 65002))
"""Compressions of TIFF, as its tag numbers them, whose tiles' headers are not read here."""


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height that the header of a compressed image states.

    None if it cannot be read, or could be read in two ways: the data are damaged, or of a format
    that is not known here.

    Parameters
    ----------
    data
        JPEG, with or without its tables, JPEG 2000, PNG or WebP.
    """
    try:
        if data.startswith(JPEG_START):
            return _jpeg_size(data)
        if data.startswith(J2K_BOX):
            data = _codestream(data)
        if data.startswith(J2K_START):
            right, bottom, left, top = struct.unpack_from(">4I", data, 8)
            return right - left, bottom - top
        with OTHERS[data[:4]](io.BytesIO(data)) as image:
            return image.size
    except (struct.error, KeyError, IndexError, ValueError, OSError, SyntaxError):
        return None


def jpeg_segments(data: bytes | mmap) -> Iterator[tuple[int, int]]:
    """Yield the marker of each segment before the first scan, and where its content begins.

    Raises
    ------
    ValueError, IndexError, struct.error
        If something else comes before the scan.
    """
    position = len(JPEG_START)
    while (marker := data[position + 1]) != JPEG_SCAN:
        (length,) = struct.unpack_from(">H", data, position + 2)
        if data[position] != 0xFF or marker not in JPEG_SEGMENTS or length < 2:
            raise ValueError("no segment")
        yield marker, position + 4
        position += 2 + length


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Return the size; ValueError unless there is one frame before the first scan."""
    starts = [start for marker, start in jpeg_segments(data) if marker in JPEG_FRAMES]
    (frame,) = starts
    height, width = struct.unpack_from(">2H", data, frame + 1)
    return width, height


def _codestream(data: bytes) -> bytes:
    """Return the codestream in a JP2 file; ValueError if there seem to be two."""
    start = data.index(J2K_START)
    if J2K_START in data[start + 1 :]:
        raise ValueError("two codestreams")
    return data[start:]
