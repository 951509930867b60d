"""What a training gained over the model that it started from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.learning.tuning.score import by_class, known, score_regions
from lds_path.models.checkpoint import load_model
from lds_path.network.device import seeded

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lds_path.learning.data.labelled_regions import RegionCache
    from lds_path.learning.trainer import Trainer
    from lds_path.models.ancestor import Ancestor
    from lds_path.models.card import ModelCard

Dice = dict[str, float | None]
"""Class -> Dice, None where it was not measured."""


def score_start(ancestor: Ancestor, card: ModelCard, trainer: Trainer, tune: RegionCache) -> Dice:
    """Return the Dice of the model that a training starts from, for each class of the training.

    It is measured as that of the training. It is None for a class that the model does not have; what the
    model calls by a class that only it has is wrong.

    Parameters
    ----------
    ancestor
        The model that it starts from.
    card
        Classes and lattice of the training.
    trainer
        How it is scored.
    tune
        The regions that are scored.
    """
    names, device = card.class_names, trainer.device
    if not len(tune):
        return dict.fromkeys(names)
    with seeded(trainer.recipe.seed, device):  # the training's random numbers stay as they are
        segmenter, old = load_model(ancestor.folder)
    value = {name: number for number, name in enumerate(names, start=1)}
    found = score_regions(
        segmenter.to(device),
        tune,
        card.lattice,
        device,
        recipe=trainer.recipe,
        values=[value.get(name, 0) for name in old.class_names],
    )
    dice = by_class(names, known(found.dice()))
    return {name: dice[name] if name in old.class_names else None for name in names}


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
