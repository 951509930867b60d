"""How far measurements vary in what a model learned from, and whether others lie within that."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lds_path.errors import named_damage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

DISTANCES_NAME = "familiarity.tsv"
"""Of the stage segment: one row a region, how far its patches lie from what the model learned from."""

MAX_AXES = 16
MIN_VALUES = 8
"""Fewer measurements say nothing of how far they vary."""
QUANTILES = (0.5, 0.9, 0.99)
_MIN_VARIANCE = 1e-9


@dataclass(frozen=True)
class Spread:
    """A normal distribution that varies equally in all directions but a few.

    Probabilistic principal components (Tipping and Bishop 1999): compact, and known from fewer
    measurements than they have numbers.
    """

    mean: tuple[float, ...]
    axes: tuple[tuple[float, ...], ...]
    """Principal directions, each of length 1."""
    variances: tuple[float, ...]
    """Along the axes."""
    rest: float
    """Variance in every other direction."""
    quantiles: tuple[float, ...]
    """`QUANTILES` of the distances of what it was measured on."""
    limit: float
    """A greater distance hardly occurs there."""

    def __post_init__(self) -> None:
        lengths = {len(self.mean), *map(len, self.axes)}
        if len(lengths) > 1 or len(self.axes) != len(self.variances):
            raise ValueError("the axes of a spread do not fit its mean and variances")
        if min(self.rest, self.limit, *self.variances) <= 0:
            raise ValueError("a variance or the limit of a spread is not above 0")

    def distances(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the Mahalanobis distance of each measurement, over the root of its numbers, (N,).

        Parameters
        ----------
        values
            Measurements, (N, D).
        """
        centred = np.asarray(values, np.float64) - self.mean
        along = centred @ np.reshape(self.axes, (-1, len(self.mean))).T  # (N, K)
        squares = (along**2 / self.variances).sum(axis=1)
        if len(self.axes) < len(self.mean):
            beside = (centred**2).sum(axis=1) - (along**2).sum(axis=1)
            squares += np.maximum(beside, 0) / self.rest
        distances: NDArray[np.float64] = np.sqrt(squares / len(self.mean))
        return distances

    def beyond(self, values: NDArray[np.floating]) -> int:
        """Return how many measurements lie beyond the limit."""
        return int(np.count_nonzero(self.distances(values) > self.limit))

    def scaled(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the distance of each measurement, (N,): 1 at the limit, 0 where half of the training lay."""
        median = self.quantiles[0] if self.quantiles else 0.0
        span = max(self.limit - median, _MIN_VARIANCE)
        scaled: NDArray[np.float64] = (self.distances(values) - median) / span
        return scaled


@dataclass(frozen=True)
class Familiarity:
    """What the training regions of a model look like; None where too little was there to tell."""

    colours: Spread | None = None
    """Of windows of tissue, see `pixels.stains.window_colours`."""
    features: Spread | None = None
    """Of patches of regions, see `inference.familiarity.DeepFeatures`."""


def measure_spread(
    values: NDArray[np.floating], held_out: NDArray[np.floating], *, tolerance: float = 0.0
) -> Spread | None:
    """Return how far measurements vary; None if there are too few.

    The limit is what 99 % of them, and of those held out, stay within; with a tolerance at least 1,
    which is as far as the training varied each number.

    Parameters
    ----------
    values
        Measurements that the network learned from, (N, D).
    held_out
        Others of the same kind, (M, D), perhaps none.
    tolerance
        Standard deviation, as a fraction of the mean, that the network was trained to put up with.
    """
    if len(values) < MIN_VALUES:
        return None
    mean = values.mean(axis=0, dtype=np.float64)
    covariance = np.cov(values.T.astype(np.float64)) + np.diag((tolerance * mean) ** 2)
    found, vectors = np.linalg.eigh(covariance)
    count = min(MAX_AXES, len(mean))
    left = found[: len(mean) - count]
    rest = max(float(left.mean()) if len(left) else float(found[0]), _MIN_VARIANCE)
    axes = vectors[:, ::-1][:, :count].T
    spread = Spread(
        _rounded(mean),
        tuple(map(_rounded, axes)),
        _rounded(np.maximum(found[::-1][:count], rest)),
        _rounded([rest])[0],
        (),
        math.inf,
    )
    within = np.quantile(spread.distances(values), QUANTILES)
    floor = 1.0 if tolerance else _MIN_VARIANCE
    limits = [floor, within[-1], *_last_quantile(spread, held_out)]
    return Spread(
        *(spread.mean, spread.axes, spread.variances, spread.rest),
        quantiles=_rounded(within),
        limit=_rounded([max(limits)])[0],
    )


def write_distances(path: Path, distances: Mapping[int, NDArray[np.floating]]) -> None:
    """Write the scaled distances of the patches of regions.

    Parameters
    ----------
    path
        File to write; the same distances give the same bytes.
    distances
        Index of a region -> distances of its patches, row by row, the same number for each.
    """
    count = len(next(iter(distances.values()), ()))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(["region", *(f"patch_{number + 1}" for number in range(count))])
        for index in sorted(distances):
            writer.writerow([index, *(f"{value:.3f}" for value in distances[index].tolist())])


def read_distances(path: Path) -> dict[int, NDArray[np.float64]]:
    """Return what `write_distances` wrote.

    Raises
    ------
    StageInputError
        If the file is damaged.
    """
    with named_damage(path, "segment"), path.open(encoding="utf-8", newline="") as stream:
        _, *rows = csv.reader(stream, delimiter="\t")
        return {int(row[0]): np.array(row[1:], np.float64) for row in rows}


def _last_quantile(spread: Spread, values: NDArray[np.floating]) -> list[float]:
    if not len(values):
        return []
    return [float(np.quantile(spread.distances(values), QUANTILES[-1]))]


def _rounded(values: NDArray[np.floating] | list[float]) -> tuple[float, ...]:
    """Return numbers with four significant digits, as a description of a model holds them."""
    return tuple(float(f"{value:.4g}") for value in values)
