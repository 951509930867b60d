"""How often a training sees each region."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.learning.streams import stream

if TYPE_CHECKING:
    from numpy.typing import NDArray


def region_chances(counts: NDArray[np.int64], *, balance: float = 1.0) -> NDArray[np.float64]:
    """Return the probability of each region.

    Parameters
    ----------
    counts
        Pixels of each class in each region, (regions, classes).
    balance
        1 shows every class equally often: first a class is drawn, then a region by its share of
        that class's pixels. 0 shows every region equally often. Values between mix both.

    Returns
    -------
    NDArray
        Probabilities, (regions,), that add up to one.
    """
    present = counts[:, counts.sum(axis=0) > 0].astype(np.float64)
    balanced = (present / present.sum(axis=0)).mean(axis=1)
    chances: NDArray[np.float64] = balance * balanced + (1 - balance) / len(counts)
    return chances


def draw_regions(
    chances: NDArray[np.float64], *, batch_size: int, seed: int, step: int
) -> NDArray[np.int64]:
    """Return the numbers of the regions of one batch; they depend only on seed and step."""
    random = stream(seed, "regions", step)
    return random.choice(len(chances), size=batch_size, p=chances)
