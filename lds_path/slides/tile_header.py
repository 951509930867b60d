"""How large a compressed tile says it is, read before a decoder makes room for its pixels.

A TIFF states the size of its tiles, but a tile of JPEG or JPEG 2000 states its own again, and the
decoder believes the tile: some megabytes can ask for many gigabytes.
"""

from __future__ import annotations

import io
import struct
import warnings

from PIL import Image

JPEG_START, JPEG_FRAMES = b"\xff\xd8", frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""The markers of a frame, which states the size (ITU-T T.81, table B.1)."""
JPEG_BARE = frozenset((0x01, *range(0xD0, 0xDA)))
"""Markers without a length."""
J2K_START, J2K_BOX = b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  "
"""Start of a codestream with its SIZ marker (ITU-T T.800, A.5.1), and of a JP2 file around one."""
OTHERS = ("PNG", "WEBP")
"""Formats whose headers Pillow reads without decoding."""
UNKNOWN = frozenset((22610, 34934, 48124, 50002, 52546, 65000, 65001, 65002))
"""Compressions of TIFF, as its tag numbers them, whose tiles' headers are not read here."""


def stated_size(data: bytes) -> tuple[int, int] | None:
    """Return the width and height that the header of a compressed image states.

    None where it cannot be read: the data are damaged, or of a format that is not known here.

    Parameters
    ----------
    data
        JPEG, with or without its tables, JPEG 2000, PNG or WebP.
    """
    try:
        if data.startswith(JPEG_START):
            return _jpeg_size(data)
        if data.startswith(J2K_BOX):
            data = data[data.index(J2K_START) :]
        if data.startswith(J2K_START):
            right, bottom, left, top = struct.unpack_from(">4I", data, 8)
            return right - left, bottom - top
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=OTHERS) as image:
                return image.size
    except (
        struct.error,
        IndexError,
        ValueError,
        OSError,
        SyntaxError,
        Image.DecompressionBombError,
    ):
        return None


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Follow the segments to the frame; IndexError or struct.error if there is none."""
    place = 2
    while True:
        if data[place] != 0xFF:
            raise ValueError("no marker")
        marker = data[place + 1]
        if marker == 0xFF:  # fill byte
            place += 1
        elif marker in JPEG_BARE:
            place += 2
        elif marker in JPEG_FRAMES:
            height, width = struct.unpack_from(">2H", data, place + 5)
            return width, height
        else:
            place += 2 + struct.unpack_from(">H", data, place + 2)[0]
