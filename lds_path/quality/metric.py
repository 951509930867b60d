"""Numbers about one slide with their meaning, and the measures behind some of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

AREA, SHARE, CONFIDENCE = "area_mm2.", "tissue_percent.", "confidence."
"""Prefixes of the metrics that each class has; the class's name follows."""


@dataclass(frozen=True)
class Metric:
    """One number about a slide, with all that is needed to read it."""

    value: float | int | str | Sequence[float] | None
    """Three numbers of a colour: red, green, blue. None where it could not be measured."""
    unit: str
    definition: str
    source: str
    """The file or stage that it was computed from."""


def number(value: float) -> str:
    """Return a number as a person writes it: three digits that count, whole above a hundred."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"


def share_percent(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float | None:
    """Return how much of a mask another covers, in percent; None if the mask is empty."""
    total = int(np.count_nonzero(whole))
    return 100 * int(np.count_nonzero(part & whole)) / total if total else None


def sample_pitch(
    positions: NDArray[np.float32], width: float, height: float
) -> NDArray[np.float32]:
    """Return the distance between neighbouring samples at each sample of a grid.

    The side of the square whose area is that of the parallelogram between the sample's
    neighbours: the root of the Jacobian of the map from lattice to region.

    Convention: positions are (x, y) in [-1, 1], the outer pixel edges at -1 and 1.

    Parameters
    ----------
    positions
        Sampling grid, (h, w, 2), h and w >= 2.
    width, height
        Extent of the region, in the unit of the result.

    Returns
    -------
    NDArray
        Pitch, (h, w), >= 0.
    """
    x, y = positions[..., 0].astype(np.float64), positions[..., 1].astype(np.float64)
    x_down, x_right = np.gradient(x)
    y_down, y_right = np.gradient(y)
    area = np.abs(x_right * y_down - y_right * x_down) * (width * height / 4)
    pitch: NDArray[np.float32] = np.sqrt(area).astype(np.float32)
    return pitch


def well_inside(mask: NDArray[np.bool_], side: int, count: int) -> list[tuple[int, int]]:
    """Return up to `count` cells of a mask that lie wholly inside it, evenly spread.

    Convention: (x, y) of the top left pixel; cells are squares on a fixed lattice of `side`.
    When no cell lies wholly inside, the fullest cells that are at least half inside are taken.
    """
    rows, columns = mask.shape[0] // side, mask.shape[1] // side
    cells = mask[: rows * side, : columns * side].reshape(rows, side, columns, side)
    share = cells.mean(axis=(1, 3))  # (rows, columns)
    chosen = np.argwhere(share == 1)
    if not len(chosen) and share.size:
        chosen = np.argwhere((share == share.max()) & (share >= 0.5))
    if len(chosen) > count:
        chosen = chosen[np.linspace(0, len(chosen) - 1, count).round().astype(int)]
    return [(int(column) * side, int(row) * side) for row, column in chosen]
