"""Which parts of a slide need not be read, because its coarse levels agree that they are glass.

A coarse level alone decides nothing: its tiles may be lost, or lie in the wrong place.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from lds_path.formats.pyramid import CHUNK
from lds_path.geometry import Rectangle, Size
from lds_path.pixels.glass import brightest_glass_color, glass_cells, is_near_glass
from lds_path.read_ahead import read_ahead

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.pixels.glass import Color
    from lds_path.slides.slide import Slide

COARSE_DOWNSAMPLES = (4.0, 32.0)
"""Working pixels per pixel of a level on which glass is looked for."""
COARSE_PIXELS = 2**26
SAMPLES, SAMPLE_EDGE = 8, 128
"""Windows per axis, and their edge, that show the glass of a slide without a coarse level."""
BLOCK = 8
"""Chunks per side of the squares in which a second level is read."""
MAX_CHECKS = 2048
"""Windows of a fine level that are compared with a coarse one."""


def find_glass(
    slide: Slide, level: int, downsample: float, *, threads: int = 1
) -> tuple[Color | None, NDArray[np.bool_] | None]:
    """Return the colour of the glass and, if coarse levels show it, the chunks of glass.

    Parameters
    ----------
    slide
        The slide.
    level
        Level that the working pixels are read from.
    downsample
        Level-0 pixels per working pixel.
    threads
        Squares of a second level read at the same time.
    """
    low, high = (bound * downsample for bound in COARSE_DOWNSAMPLES)
    levels = [n for n, level in enumerate(slide.levels) if low <= level.downsample <= high]
    overview = None
    if levels and (size := slide.levels[levels[-1]].size).area <= COARSE_PIXELS:
        overview = slide.peek(levels[-1], Rectangle.whole(size))
    if overview is None:
        return brightest_glass_color(_sample(slide)), None
    color = brightest_glass_color(overview)
    if color is None:
        return None, None
    *finer, coarsest = levels
    cells = glass_cells(overview, color, _cell(slide, coarsest, downsample))
    if finer:
        cell = _cell(slide, finer[-1], downsample)
        _keep_agreed(slide, finer[-1], cells, color, cell, threads)
    elif not _looks_like_glass(slide, level, cells, color, _cell(slide, level, downsample)):
        return color, None
    return color, cells


def _cell(slide: Slide, level: int, downsample: float) -> float:
    """Return the edge of a chunk in pixels of a level."""
    return CHUNK * downsample / slide.levels[level].downsample


def _keep_agreed(
    slide: Slide, level: int, cells: NDArray[np.bool_], color: Color, cell: float, threads: int
) -> None:
    """Drop, in place, the cells of glass that a second level does not show as glass."""
    size = slide.levels[level].size
    rows, columns = cells.shape

    def check(piece: Rectangle) -> None:
        part = cells[piece.slices]
        if not part.any():
            return
        left, top = int(piece.left * cell), int(piece.top * cell)
        right = int(np.ceil((piece.left + piece.size.width) * cell)) + 1
        bottom = int(np.ceil((piece.top + piece.size.height) * cell)) + 1
        shown = Rectangle.between(left, top, right, bottom).clipped(size)
        pixels = slide.peek(level, shown)
        if pixels is None:
            part[:] = False
            return
        agreed = glass_cells(pixels, color, cell)[: part.shape[0], : part.shape[1]]
        part[: agreed.shape[0], : agreed.shape[1]] &= agreed

    pieces = Rectangle.whole(Size(columns, rows)).pieces(BLOCK)
    for _ in read_ahead(check, pieces, threads=threads, ahead=threads):
        pass


def _looks_like_glass(
    slide: Slide, level: int, cells: NDArray[np.bool_], color: Color, cell: float
) -> bool:
    """Return whether windows of a fine level, one in each cell of glass, show glass, too."""
    places = np.argwhere(cells)
    step = max(len(places) // MAX_CHECKS, 1)
    for row, column in places[::step].tolist():
        left, top = round((column + 0.5) * cell), round((row + 0.5) * cell)
        window = Rectangle(left, top, Size(SAMPLE_EDGE, SAMPLE_EDGE))
        window = window.clipped(slide.levels[level].size)
        pixels = None if window.is_empty else slide.peek(level, window)
        if pixels is not None and not is_near_glass(pixels.transpose(2, 0, 1), color):
            return False
    return True


def _sample(slide: Slide) -> NDArray[np.uint8]:
    """Return the readable ones of small windows spread over the slide's coarsest level."""
    level = len(slide.levels) - 1
    size = slide.levels[level].size
    window = size.cut_to(Size(SAMPLE_EDGE, SAMPLE_EDGE))
    tops = np.linspace(0, size.height - window.height, SAMPLES).astype(int).tolist()
    lefts = np.linspace(0, size.width - window.width, SAMPLES).astype(int).tolist()
    windows = [
        slide.peek(level, Rectangle(left, top, window)) for top, left in product(tops, lefts)
    ]
    readable = [pixels for pixels in windows if pixels is not None]
    return np.stack(readable) if readable else np.empty((0, 3), np.uint8)
