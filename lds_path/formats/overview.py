"""The whole slide at a low resolution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lds_path.geometry import Size
from lds_path.pixels.halving import halve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.formats.pyramid import Pyramid

_READ_ROWS = 512


@dataclass(frozen=True)
class Overview:
    """All of a slide, reduced by a power of two."""

    pixels: NDArray[np.uint8]
    """RGB, (H, W, 3); each colour is contiguous."""
    downsample: int
    """Working pixels per pixel."""
    mpp: float
    """Microns per pixel."""


def read_overview(pyramid: Pyramid, mpp: float) -> Overview:
    """Return the whole slide at about this resolution, even if the pyramid ends before it.

    Nothing else of the whole slide is held in memory.
    """
    level = pyramid.level_near(mpp)
    halvings = max(round(math.log2(mpp / pyramid.frame.mpp)), level)
    size = pyramid.level_size(level)
    planes = np.empty((3, size.height, size.width), np.uint8)
    for top in range(0, size.height, _READ_ROWS):
        strip = Size(size.width, min(_READ_ROWS, size.height - top))
        rows = pyramid.read(level, 0, top, strip)
        planes[:, top : top + strip.height] = rows.transpose(2, 0, 1)
    for _ in range(halvings - level):
        planes = halve(planes)
    return Overview(planes.transpose(1, 2, 0), 2**halvings, pyramid.frame.mpp * 2**halvings)
