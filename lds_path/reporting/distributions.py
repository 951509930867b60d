"""The distribution of a metric over a cohort: median, outliers, and where to draw each slide."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

WIDTH, ROW = 640, 64
"""Width of the drawing and height of one of its rows, in its own units."""
MARGIN = 12
DOT = 3.0
FENCE = 1.5
"""An outlier is more than this many interquartile ranges beyond the quartiles (Tukey 1977)."""
MIN_SLIDES = 5
"""Minimum number of slides for one of them to be an outlier."""


@dataclass(frozen=True)
class Dot:
    """One slide in a drawing."""

    slide: str
    value: float
    x: float
    y: float
    outlier: bool


@dataclass(frozen=True)
class Row:
    """The slides of one batch, or all."""

    name: str
    median: float
    median_x: float
    top: float
    bottom: float
    """Where the dots stand."""
    dots: Sequence[Dot]

    @property
    def count(self) -> int:
        """Slides of the row."""
        return len(self.dots)


@dataclass(frozen=True)
class Distribution:
    """One metric over the cohort."""

    lowest: float
    highest: float
    median: float
    rows: Sequence[Row]
    outliers: Sequence[Dot]
    """From the lowest to the highest."""

    @property
    def height(self) -> float:
        """Of the drawing."""
        return ROW * len(self.rows)


def distribute(values: Mapping[str, float], batches: Mapping[str, str]) -> Distribution | None:
    """Return the distribution of a metric, a row for each batch; None without values.

    Parameters
    ----------
    values
        Slide -> value.
    batches
        Slide -> batch; one row of all slides when there are fewer than two batches.
    """
    if not values:
        return None
    numbers = np.array(list(values.values()), np.float64)
    low, high = float(numbers.min()), float(numbers.max())
    outliers = find_outliers(values)
    names = sorted({batches.get(slide, "") for slide in values})
    if len(names) < 2:
        names, batches = ["all slides"], dict.fromkeys(values, "all slides")

    def to_x(value: float) -> float:
        fraction = (value - low) / (high - low) if high > low else 0.5
        return round(MARGIN + fraction * (WIDTH - 2 * MARGIN), 1)

    rows = []
    for index, name in enumerate(names):
        of_batch = {k: value for k, value in values.items() if batches.get(k, "") == name}
        middle = float(np.median(list(of_batch.values())))
        top = index * ROW
        bottom = top + ROW - 6
        dots = _stack(of_batch, to_x, bottom - DOT - 2, outliers)
        rows.append(Row(name or "no batch", middle, to_x(middle), top, bottom, dots))
    outlying = [dot for row in rows for dot in row.dots if dot.outlier]
    outlying.sort(key=lambda dot: dot.value)
    return Distribution(low, high, float(np.median(numbers)), rows, outlying)


def find_outliers(values: Mapping[str, float]) -> set[str]:
    """Return the slides beyond Tukey's fences; none of fewer than five slides."""
    if len(values) < MIN_SLIDES:
        return set()
    first, third = np.percentile(list(values.values()), (25, 75))
    reach = FENCE * (third - first)
    return {slide for slide, value in values.items() if not first - reach <= value <= third + reach}


def _stack(
    values: Mapping[str, float], to_x: Callable[[float], float], bottom: float, outliers: set[str]
) -> list[Dot]:
    """Return dots, stacked if they would hide each other."""
    heights: Counter[int] = Counter()
    dots = []
    for slide, value in sorted(values.items(), key=lambda item: item[1]):
        x = to_x(value)
        column = int(x // (2 * DOT))
        y = bottom - min(heights[column], 5) * 2 * DOT
        heights[column] += 1
        dots.append(Dot(slide, value, x, round(y, 1), slide in outliers))
    return dots
