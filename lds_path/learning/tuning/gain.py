"""What a training gained over the model that it started from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.learning.tuning.score import by_class, known, score_regions
from lds_path.models.checkpoint import load_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import torch

    from lds_path.geometry import Size
    from lds_path.learning.data.labelled_regions import RegionCache
    from lds_path.learning.recipe import Recipe
    from lds_path.models.ancestor import Ancestor

Dice = dict[str, float | None]
"""Class -> Dice, None where it was not measured."""


def score_start(
    ancestor: Ancestor,
    classes: Sequence[str],
    tune: RegionCache,
    lattice: Size,
    device: torch.device,
    *,
    recipe: Recipe,
) -> Dice:
    """Return the Dice of the model that a training starts from, for each class of the training.

    It is None for a class that the model does not have. What the model calls by a class that only it has is wrong.

    Parameters
    ----------
    ancestor
        The model.
    classes
        Names of the classes of the training, in the order of their values.
    tune, lattice, device, recipe
        As the training is scored, see `score_regions`.
    """
    segmenter, card = load_model(ancestor.folder)
    number = {name: value for value, name in enumerate(classes, start=1)}
    values = [number.get(name, 0) for name in card.class_names]
    found = score_regions(segmenter.to(device), tune, lattice, device, recipe=recipe, values=values)
    dice = by_class(classes, known(found.dice())) if len(tune) else dict.fromkeys(classes)
    return {name: dice[name] if name in card.class_names else None for name in classes}


def find_loss(before: Mapping[str, float | None], after: Mapping[str, float | None]) -> list[str]:
    """Return a sentence if the mean Dice of the classes that both models have is lower after than before."""
    pairs = ((value, after[name]) for name, value in before.items())
    both = [(old, new) for old, new in pairs if old is not None and new is not None]
    if not both:
        return []
    old, new = np.mean(both, axis=0).tolist()
    if new >= old:
        return []
    means = f"mean Dice {old:.3f}, now {new:.3f}"
    return [
        f"The model that it started from is better on the split tune ({means}): keep that, or correct more."
    ]
