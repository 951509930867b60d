"""The squares of a slide that may be suggested, and how much of each part of the score they hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lds_path.geometry import Rectangle, Size, ceil_div

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from lds_path.suggesting.slide_maps import SlideMaps

STEPS = 4
"""Squares begin at every such fraction of their side."""
MIN_TISSUE = 0.5
"""Tissue in a square, as a fraction of that in the fullest square of its slide."""


@dataclass(frozen=True)
class Squares:
    """Squares of a slide with enough tissue, from the top row by row."""

    cell: int
    """A fourth of their side, in pixels of the maps."""
    rows: NDArray[np.int32]
    """Cells above each, (N,)."""
    columns: NDArray[np.int32]
    """Cells left of it."""
    tissue: NDArray[np.float32]
    """Analysed fraction of it."""
    parts: Mapping[str, NDArray[np.float32]]
    """Part of the score -> its mean over the tissue times `tissue`; NaN where it is not known.

    Squares at the edge of the tissue, where a model always doubts, hold less of what it could learn."""
    doubted: Mapping[int, NDArray[np.float32]] = field(default_factory=dict)
    """Value of a class -> doubt where it was predicted, summed and divided by the pixels of the square."""
    pixels: Mapping[int, int] = field(default_factory=dict)
    """Value of a class -> pixels of the slide's map where it was predicted."""

    def rectangle(self, number: int, scale: int, limit: Size) -> Rectangle:
        """Return a square, as far as it lies on the slide, in pixels `scale` times finer."""
        cell = self.cell * scale
        side = Size(STEPS * cell, STEPS * cell)
        left, top = int(self.columns[number]) * cell, int(self.rows[number]) * cell
        return Rectangle(left, top, side).clipped(limit)


def whole_side(side_um: float, mpp: float) -> int:
    """Return the side in pixels of a map that is nearest to a side in microns and has `STEPS` cells."""
    return STEPS * max(round(side_um / mpp / STEPS), 1)


def find_squares(maps: SlideMaps, side: int, *, taken: NDArray[np.bool_] | None = None) -> Squares:
    """Return the squares of a slide.

    Parameters
    ----------
    maps
        Of the slide.
    side
        Of a square, pixels of the maps, a multiple of `STEPS`.
    taken
        Pixels of the maps that no square may have.
    """
    cell = side // STEPS
    tissue = _sum_squares(maps.analysed, cell) / side**2
    enough = (tissue > 0) & (tissue >= MIN_TISSUE * tissue.max())
    if taken is not None:
        enough &= _sum_squares(taken, cell) == 0
    parts = {}
    for name, values in maps.parts.items():
        known = maps.analysed & np.isfinite(values)
        total = _sum_squares(np.where(known, values, 0), cell)[enough]
        count = _sum_squares(known, cell)[enough]
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        parts[name] = (mean * tissue[enough]).astype(np.float32)
    rows, columns = (axis.astype(np.int32) for axis in np.nonzero(enough))
    doubt = np.nan_to_num(maps.parts.get("doubt", np.zeros(maps.analysed.shape, np.float32)))
    doubted = {
        value: (_sum_squares(np.where(where, doubt, 0), cell)[enough] / side**2).astype(np.float32)
        for value, where in maps.predicted.items()
    }
    pixels = {value: int(where.sum()) for value, where in maps.predicted.items()}
    share = tissue[enough].astype(np.float32)
    return Squares(cell, rows, columns, share, parts, doubted, pixels)


def _sum_squares(values: NDArray[np.bool_] | NDArray[np.float32], cell: int) -> NDArray[np.float64]:
    """Return the sum in each square, (rows, columns); it is 0 beyond the map."""
    height, width = values.shape
    rows, columns = (max(ceil_div(length, cell), STEPS) for length in (height, width))
    padded = np.pad(values, ((0, rows * cell - height), (0, columns * cell - width)))
    cells = padded.reshape(rows, cell, columns, cell).sum(axis=(1, 3), dtype=np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(cells, (STEPS, STEPS))
    sums: NDArray[np.float64] = windows.sum(axis=(2, 3))
    return sums
