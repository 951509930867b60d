"""The compressions of slides, each tried on a few pixels."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import tifffile

from lds_path.errors import DAMAGE

CODECS = ("jpeg", "jpeg2000", "lzw", "deflate", "zstd", "webp")
VALUE, TOLERANCE = 120, 8
"""Of the pixels, and how far a lossy compression may change them."""


def find_broken_codecs() -> list[str]:
    """Return the compressions that cannot be written and read back."""
    return [codec for codec in CODECS if not _works(codec)]


def _works(codec: str) -> bool:
    pixels = np.full((64, 64, 3), VALUE, np.uint8)
    stream = BytesIO()
    try:
        tifffile.imwrite(stream, pixels, photometric="rgb", compression=codec, tile=(64, 64))
        stream.seek(0)
        found = tifffile.imread(stream)
    except DAMAGE:
        return False
    return bool(np.abs(found.astype(int) - VALUE).max() <= TOLERANCE)
