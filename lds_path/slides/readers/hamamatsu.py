"""Damage of a VMS slide's images that shifts pixels in silence.

Each image is one JPEG of restart intervals, which OpenSlide finds by the markers between them, and does not
count: without one of them, all that follows lies elsewhere.
"""

from __future__ import annotations

import mmap
import re
import struct
from typing import TYPE_CHECKING

from lds_path.errors import UnreadableSlideError
from lds_path.geometry import ceil_div
from lds_path.slides.companions import HAMAMATSU, find_local_files
from lds_path.slides.tile_header import JPEG_FRAMES, JPEG_START, jpeg_segments

if TYPE_CHECKING:
    from pathlib import Path

_MARKER = re.compile(rb"\xff([\xd0-\xd7])")
_INTERVAL = 0xDD
_BLOCK = 8  # pixels


def check_restarts(path: Path) -> None:
    """Check the images that an index of Hamamatsu names; any other slide passes.

    Raises
    ------
    UnreadableSlideError
        If one has not the restart markers that its size asks for, in their order.
    """
    with path.open("rb") as stream:
        if not stream.read(len(HAMAMATSU[0])).startswith(HAMAMATSU[0]):
            return
    for file in find_local_files(path)[1:]:
        if not _has_restarts(file):
            raise UnreadableSlideError(
                f"{file} is damaged: its JPEG lacks restart markers, so that pixels of {path} are not"
                " where they belong; copy it again from its source"
            )


def _has_restarts(file: Path) -> bool:
    """Return whether a JPEG has all markers, numbered from 0 to 7 again and again.

    True for what OpenSlide refuses, or does not read.
    """
    if not file.stat().st_size:
        return True
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        try:
            expected = _marker_count(data) if data[:2] == JPEG_START else 0
        except (ValueError, IndexError, struct.error):
            return True
        if not expected:
            return True
        numbers = (match[1][0] & 7 for match in _MARKER.finditer(data))
        in_order = [number == index % 8 for index, number in enumerate(numbers)]
        return all(in_order) and len(in_order) == expected


def _marker_count(data: mmap.mmap) -> int:
    """Return how many markers divide the intervals of a JPEG; 0 where it has no intervals."""
    interval, units = 0, 0
    for marker, start in jpeg_segments(data):
        if marker == _INTERVAL:
            (interval,) = struct.unpack_from(">H", data, start)
        elif marker in JPEG_FRAMES:
            height, width, components = struct.unpack_from(">HHB", data, start + 1)
            factors = [data[start + 7 + 3 * index] for index in range(components)]
            across = _BLOCK * max(factor >> 4 for factor in factors)
            down = _BLOCK * max(factor & 15 for factor in factors)
            units = ceil_div(width, across) * ceil_div(height, down)
    return max(ceil_div(units, interval) - 1, 0) if interval else 0
