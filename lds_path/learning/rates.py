"""How fast each part of a segmenter learns, and which parts do not."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from lds_path.network.architectures.encoder import encoder_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from torch import nn

    from lds_path.learning.recipe import Recipe, Start
    from lds_path.network.segmenter import Segmenter

WARM_UP_STEPS = 50
RISE = 0.3
"""Share of the steps in which the rate of one cycle rises."""
LOWEST = 0.04
"""Fraction of the highest rate at which one cycle starts."""


def learning_rate_factor(number: int, steps: int, schedule: str = "one-cycle") -> float:
    """Return the learning rate at a step as a fraction of the highest; see `Recipe.schedule`."""
    progress = number / steps
    if schedule == "steps":
        return 0.1 ** sum(progress >= end for end in (0.4, 0.8))
    if schedule == "cosine":
        warm_up = min(WARM_UP_STEPS, steps / 10)
        if number < warm_up:
            return (number + 1) / (warm_up + 1)
        return 0.01 + 0.99 * _fall(progress)
    if progress < RISE:
        return LOWEST + (1 - LOWEST) * (1 - _fall(progress / RISE))
    return 1e-4 + (1 - 1e-4) * _fall((progress - RISE) / (1 - RISE))


def _fall(progress: float) -> float:
    """Return half a cosine, from 1 to 0."""
    return (1 + math.cos(math.pi * progress)) / 2


def parameter_groups(
    segmenter: Segmenter, recipe: Recipe, start: Start, inherited: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return the parameters that learn, with their highest learning rates, as optimizers take them.

    Parameters
    ----------
    segmenter
        Parameters that need no gradient are left out.
    recipe, start
        The rates.
    inherited
        Names of the weights that come from another model.
    """
    groups: defaultdict[tuple[bool, float], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in segmenter.named_parameters():
        segments = name.startswith("network.")
        rate = recipe.learning_rate if segments else recipe.density_learning_rate
        factor = start.start_rate if name in inherited else 1.0
        if parameter.requires_grad:
            groups[segments, rate * factor].append(parameter)
    ordered = sorted(groups.items(), key=lambda group: not group[0][0])
    return [{"params": parameters, "lr": rate} for (_, rate), parameters in ordered]


def freeze(segmenter: Segmenter, frozen: str) -> list[nn.Module]:
    """Let some modules need no gradient, and return them; see `Start.frozen`.

    Their batch normalisation learns unless they are in evaluation mode.
    """
    modules = []
    if frozen in ("encoder", "encoder-and-density"):
        modules += encoder_of(segmenter.network)
    if frozen in ("density", "encoder-and-density"):
        modules.append(segmenter.density)
        if segmenter.spec.ladder:
            modules.append(segmenter.benefit)
    for module in modules:
        module.requires_grad_(False)
    return modules
