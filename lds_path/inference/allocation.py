"""How many samples each region of a slide gets, for a budget of the whole slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def allocate(
    errors: NDArray[np.float64], samples: NDArray[np.int64], budget: int
) -> NDArray[np.intp]:
    """Return which rung of a ladder each region gets, so that the expected error is smallest.

    Every region starts on the lowest rung. Then single steps up are taken, from the one that
    saves most error per sample to the one that saves least, each if the budget still has room
    for it. A step that only pays together with the next ones counts as their average (the
    convex hull of the region's curve), so that each region takes its steps in order.

    A region that gains at least as much by every step as another never gets fewer: its step
    comes first, and if there is no room left for it, there is none for the other.

    Parameters
    ----------
    errors
        Expected error of each region on each rung, (regions, rungs), in any unit.
    samples
        Samples of a region on each rung, (rungs,), rising.
    budget
        Largest total number of samples.

    Returns
    -------
    NDArray
        Rungs, (regions,).

    Raises
    ------
    UsageError
        If the budget is too small for the lowest rung everywhere.
    """
    regions, rungs = errors.shape
    remaining = budget - regions * int(samples[0])
    if remaining < 0:
        raise UsageError(
            f"the budget of {budget} samples is too small: {regions} regions need"
            f" {budget - remaining} even on the smallest lattice of the model; raise it"
        )
    costs = np.diff(samples)
    rates = falling_rates(errors, costs)  # (regions, rungs - 1)
    # Ties go to the region that gains more over all steps, which keeps the promise above.
    total = (rates * costs).sum(axis=1)
    region, step = np.divmod(np.arange(rates.size), max(rungs - 1, 1))
    order = np.lexsort((region, step, -total[region], -rates.ravel()))
    chosen = np.zeros(regions, np.intp)
    for candidate in order.tolist():
        cost = int(costs[step[candidate]])
        if cost <= remaining and chosen[region[candidate]] == step[candidate]:
            chosen[region[candidate]] += 1
            remaining -= cost
    return chosen


def falling_rates(errors: NDArray[np.float64], costs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the error that each step saves per sample, never rising along a region's steps.

    Steps that would rise are averaged with those before them, weighted by their samples (pool
    adjacent violators, Ayer et al. 1955), all regions at once.

    Parameters
    ----------
    errors
        Expected error on each rung, (regions, rungs).
    costs
        Samples of each step, (rungs - 1,).
    """
    gains = np.cumsum(-np.diff(errors, axis=1), axis=1)  # saved since the lowest rung
    spent = np.cumsum(costs).astype(np.float64)
    gains, spent = np.pad(gains, ((0, 0), (1, 0))), np.pad(spent, (1, 0))
    rates = np.empty((len(errors), len(costs)))
    # The slope of the smallest concave curve above the gains: min over starts of max over ends.
    for step in range(len(costs)):
        starts, ends = np.arange(step + 1), np.arange(step + 1, len(spent))
        slopes = (gains[:, None, ends] - gains[:, starts, None]) / (
            spent[None, None, ends] - spent[None, starts, None]
        )  # (regions, starts, ends)
        rates[:, step] = slopes.max(axis=2).min(axis=1)
    return rates
