"""Any level of a pyramid, computed from its slide as if the finer ones were stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.geometry import Rectangle, Size
from lds_path.pixels.halving import halve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.formats.slide_pixels.source import Source
    from lds_path.slides.slide import Slide

READ_EDGE = 2048
"""Slide pixels are read in squares of about this edge."""


class LevelReader:
    """Reads the levels of the pyramid of a slide; any thread may read.

    Attributes
    ----------
    size
        Extent in working pixels.
    """

    def __init__(self, slide: Slide, source: Source) -> None:
        self.slide, self.source = slide, source
        level_size = slide.levels[source.level].size
        self.size = Size(
            max(int(np.ceil(level_size.width / source.pitch - 1e-6)), 1),
            max(int(np.ceil(level_size.height / source.pitch - 1e-6)), 1),
        )

    def edge(self, level: int) -> int:
        """Return the edge of the squares that a level is read in, a power of two."""
        working: int = 2 ** int(np.log2(READ_EDGE / self.source.pitch))
        return max(working >> level, 1)

    def read(self, level: int, window: Rectangle) -> NDArray[np.uint8]:
        """Return a rectangle within a level, (3, H, W): each pixel the mean of four of the level below.

        A pixel does not depend on the rectangle that it is read in. The memory holds a few squares
        besides the result.

        Parameters
        ----------
        level
            Level of the pyramid; 0 has the working pixels.
        window
            In pixels of that level.
        """
        edge = self.edge(level)
        if max(window.size.width, window.size.height) <= edge:
            return self._read_piece(level, window)
        planes = np.empty((3, window.size.height, window.size.width), np.uint8)
        for piece in window.pieces(edge):
            place = piece.seen_from(window.left, window.top).slices
            planes[:, *place] = self._read_piece(level, piece)
        return planes

    def _read_piece(self, level: int, piece: Rectangle) -> NDArray[np.uint8]:
        factor = 2**level
        below = Rectangle.between(
            piece.left * factor, piece.top * factor, piece.right * factor, piece.bottom * factor
        )
        planes = read_reduced(self.slide, self.source, below.clipped(self.size))
        for _ in range(level):
            planes = halve(planes)
        return planes


def read_reduced(slide: Slide, source: Source, window: Rectangle) -> NDArray[np.uint8]:
    """Return a rectangle of reduced pixels of a level of the slide, (3, H, W).

    Parameters
    ----------
    slide
        The slide.
    source
        Level, and pitch.
    window
        In reduced pixels.
    """
    touched, left, top = touched_pixels(slide, source, window)
    pixels = slide.read_region(source.level, touched.left, touched.top, touched.size)
    return reduce_pixels(pixels, window.size, source.pitch, left, top)


def touched_pixels(
    slide: Slide, source: Source, window: Rectangle
) -> tuple[Rectangle, float, float]:
    """Return the pixels of a level that reduced pixels cover, and the corner of these on them."""
    x, y = window.left * source.pitch, window.top * source.pitch
    right = int(np.ceil(x + window.size.width * source.pitch))
    bottom = int(np.ceil(y + window.size.height * source.pitch))
    touched = Rectangle.between(int(x), int(y), right, bottom)
    touched = touched.clipped(slide.levels[source.level].size)
    return touched, x - touched.left, y - touched.top


def reduce_pixels(
    pixels: NDArray[np.uint8], size: Size, pitch: float, left: float, top: float
) -> NDArray[np.uint8]:
    """Return the area means of pixels, (H, W, 3), as planes, (3, size.height, size.width)."""
    planes = pixels.transpose(2, 0, 1)
    if pitch == 1:
        return planes
    if pitch == 2:
        return halve(planes)
    from lds_path.pixels.area_mean import area_mean  # numba takes half a second to import

    return area_mean(pixels, size, pitch=pitch, left=left, top=top)
