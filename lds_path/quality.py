"""Quality of one slide and of its analysis: numbers with their meaning, and a verdict in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

Word = Literal["pass", "warn", "fail"]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in the grey value (ITU-R BT.601)."""


@dataclass(frozen=True)
class Metric:
    """One number about a slide, with all that is needed to read it."""

    value: float | int | str | None
    """None where it could not be measured."""
    unit: str
    definition: str
    source: str
    """The file or stage that it was computed from."""


@dataclass(frozen=True)
class Limit:
    """Where a metric begins to be doubtful and where it is bad."""

    metric: str
    warn: float
    fail: float
    words: str
    """What is wrong, in words, with `{value}` and `{limit}`."""
    low_is_bad: bool = True

    def broken(self, value: float) -> float | None:
        """Return the limit that a value breaks, the worse one first, or None."""
        for limit in (self.fail, self.warn):
            if value < limit if self.low_is_bad else value > limit:
                return limit
        return None


@dataclass(frozen=True)
class Verdict:
    """Whether a slide's result can be used, and why not."""

    word: Word
    reasons: tuple[str, ...]


def judge(metrics: Mapping[str, Metric], limits: Iterable[Limit]) -> Verdict:
    """Return the worst that any limit says; failures are named before warnings.

    A metric that could not be measured is a warning of its own.
    """
    reasons: dict[Word, list[str]] = {"fail": [], "warn": []}
    for limit in limits:
        value = metrics[limit.metric].value
        if not isinstance(value, int | float):
            reasons["warn"].append(f"{limit.metric.replace('_', ' ')} could not be measured")
            continue
        broken = limit.broken(value)
        if broken is None:
            continue
        word: Word = "fail" if broken == limit.fail else "warn"
        reasons[word].append(limit.words.format(value=number(value), limit=number(broken)))
    word = "fail" if reasons["fail"] else "warn" if reasons["warn"] else "pass"
    return Verdict(word, (*reasons["fail"], *reasons["warn"]))


def number(value: float) -> str:
    """Return a number as a person writes it: three digits that count, whole above a hundred."""
    if value == round(value) or abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"


def share_percent(part: NDArray[np.bool_], whole: NDArray[np.bool_]) -> float | None:
    """Return how much of a mask another covers, in percent; None if the mask is empty."""
    total = int(np.count_nonzero(whole))
    return 100 * int(np.count_nonzero(part & whole)) / total if total else None


def focus(crops: Sequence[NDArray[np.uint8]]) -> float | None:
    """Return the median over crops of the variance of the Laplacian; None without crops.

    The variance of the Laplacian (Pech-Pacheco et al. 2000) of the grey values 0 to 255, with
    the kernel of four neighbours. It falls with blur and, less, with the contrast of the stain.

    Parameters
    ----------
    crops
        RGB, (H, W, 3) each, H and W >= 3, all at one pixel size.
    """
    if not crops:
        return None
    return float(np.median([_laplacian_variance(crop.astype(np.float32) @ LUMA) for crop in crops]))


def _laplacian_variance(grey: NDArray[np.float32]) -> float:
    inner = grey[1:-1, 1:-1]
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * inner
    return float(laplacian.var())


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
