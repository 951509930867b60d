"""The gate of the warp: the strength that gains on slides that were not learned from, or none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from lds_path.learning.tuning.score import dice_of, score_regions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from lds_path.geometry import Size
    from lds_path.learning.data.labelled_regions import RegionCache
    from lds_path.learning.recipe import Recipe
    from lds_path.network.segmenter import Segmenter

RESAMPLES = 1000
FEWEST = 8
"""Regions, below which resampled sets say nothing about others."""
DOUBT = 0.05
"""Chance that a gain this large or larger comes from the choice of regions alone, at most."""


@dataclass(frozen=True)
class Gate:
    """What each strength of the warp reaches on regions that were not learned from."""

    strengths: tuple[float, ...]
    """The first is 0, the uniform grid."""
    dice: tuple[float, ...]
    """Mean Dice with each."""
    proven: tuple[float, ...]
    """Gain over the uniform grid that only a share `DOUBT` of resampled sets of regions falls short of."""

    def choose(self) -> float:
        """Return the strength with the highest Dice among those whose gain is proven; 0 if none is."""
        gaining = [rung for rung, gain in enumerate(self.proven) if gain > 0]
        best = max(gaining, key=self.dice.__getitem__, default=0)
        return self.strengths[best]

    def summary(self) -> dict[str, Any]:
        """Return the entry in the model card."""
        return {
            "strengths": list(self.strengths),
            "dice": [round(value, 4) for value in self.dice],
            "proven_gain": [round(value, 4) for value in self.proven],
        }


def find_gate(
    segmenter: Segmenter,
    tune: RegionCache,
    lattice: Size,
    device: torch.device,
    strengths: Sequence[float],
    *,
    recipe: Recipe,
) -> Gate:
    """Return what each strength reaches; `FEWEST` regions or more can prove a gain.

    Parameters
    ----------
    segmenter
        Its spec is as before afterwards.
    tune
        Regions that were not learned from.
    lattice, device, recipe
        As `score_regions` takes them.
    strengths
        The first is 0.
    """
    spec = segmenter.spec
    try:
        confusions = []
        for strength in strengths:
            segmenter.spec = replace(spec, warp_strength=strength)
            scores = score_regions(segmenter, tune, lattice, device, recipe=recipe, on_pixels=True)
            weights = np.array([region.stands_for for region in scores.regions])
            confusions.append(scores.confusion * weights[:, None, None])
    finally:
        segmenter.spec = spec
    return make_gate(strengths, np.array(confusions))


def make_gate(strengths: Sequence[float], confusions: NDArray[np.float64]) -> Gate:
    """Return the gate for what was found.

    Parameters
    ----------
    strengths
        The first is 0.
    confusions
        Of each strength and region, (strengths, regions, classes + 1, classes + 1); class 0 has no label.
    """
    regions = confusions.shape[1]
    dice = _mean_dice(confusions.sum(axis=1))
    if regions < FEWEST:
        return Gate(tuple(strengths), tuple(dice.tolist()), (0.0,) * len(strengths))
    random = np.random.default_rng(0)
    drawn = random.multinomial(regions, [1 / regions] * regions, RESAMPLES)  # (resamples, regions)
    resampled = np.einsum("nr,srij->snij", drawn, confusions)
    gains = _mean_dice(resampled) - _mean_dice(resampled[:1])
    proven = np.quantile(gains, DOUBT, axis=1)
    return Gate(tuple(strengths), tuple(dice.tolist()), tuple(proven.tolist()))


def _mean_dice(confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean Dice over the classes that the regions hold."""
    dice = dice_of(confusion)
    held = ~np.isnan(dice)
    mean: NDArray[np.float64] = dice.sum(axis=-1, where=held) / np.maximum(held.sum(axis=-1), 1)
    return mean
