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


_DECIMALS = {
    "%": 1, "mm²": 2, "0 to 1": 3, "optical density": 2, "RGB, length 1": 2, "ratio": 2, "times": 2,
    "µm": 2, "µm²": 0, "µm/px": 3, "samples/mm²": 0,
}  # fmt: skip
"""Unit, or the sign that it begins with -> decimals by which its numbers are shown everywhere."""
_MORE_DECIMALS = 2
"""Of a number in a table for programs."""


@dataclass(frozen=True)
class Metric:
    """One number about a slide, with what is needed to interpret it."""

    value: float | int | str | Sequence[float] | None
    """Three numbers of a colour: red, green, blue. None where it could not be measured."""
    unit: str
    definition: str
    source: str
    """The file or stage that it was computed from."""


def format_number(value: float) -> str:
    """Return a number as people write it: three significant digits, no decimals above a hundred."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"


def format_metric(value: float, unit: str) -> str:
    """Return a number of a unit as pages, last lines and reasons show it: with its decimals.

    What is not zero does not look like zero. A unit without decimals of its own is written as by
    `format_number`.
    """
    decimals = decimals_of(unit)
    if decimals is None:
        return format_number(value)
    text = f"{value:.{decimals}f}"
    return f"<{10**-decimals:.{decimals}f}" if value > 0 and not float(text) else text


def decimals_of(unit: str) -> int | None:
    """Return the decimals of numbers of a unit; None if it has none of its own."""
    return _DECIMALS.get("%" if unit.startswith("%") else unit)


def round_metric(value: object, unit: str) -> object:
    """Return a number for a table: with two decimals more than it is shown with; others as they are."""
    decimals = decimals_of(unit)
    if decimals is None or not isinstance(value, float):
        return value
    return round(value, decimals + _MORE_DECIMALS)


def percent_of(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float | None:
    """Return the percentage of a mask that another covers; None if the mask is empty."""
    total = int(np.count_nonzero(whole))
    return 100 * int(np.count_nonzero(part & whole)) / total if total else None


def well_inside(mask: NDArray[np.bool_], side: int, count: int) -> list[tuple[int, int]]:
    """Return up to `count` cells that lie entirely inside a mask, evenly spread.

    Convention: (x, y) of the top left pixel; cells are squares on a fixed lattice of `side`.
    When no cell lies entirely inside, the fullest cells that are at least half inside are taken.
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
