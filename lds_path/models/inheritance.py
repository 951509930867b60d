"""Weights that a network takes over from another model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from lds_path.models.checkpoint import load_model
from lds_path.network.segmenter import Segmenter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lds_path.network.spec import NetworkSpec


def inherit(segmenter: Segmenter, folder: Path, class_names: Sequence[str]) -> frozenset[str]:
    """Give a network the weights of a model; what depends on other classes keeps its own.

    Parameters
    ----------
    segmenter
        A network that differs from the model's in its number of classes at most.
    folder
        The model.
    class_names
        The network's, in the order of their values.

    Returns
    -------
    frozenset of str
        Names of the weights that were taken over.

    Raises
    ------
    ModelError
        If the model is damaged.
    """
    ancestor, card = load_model(folder)
    weights = ancestor.state_dict()
    if tuple(class_names) != card.class_names:
        for name in _of_classes(segmenter.spec):
            weights.pop(name)
    segmenter.load_state_dict(weights, strict=False)
    return frozenset(weights)


def _of_classes(spec: NetworkSpec) -> set[str]:
    """Return the names of the weights whose shape depends on the number of classes."""
    shapes = []
    for count in (spec.class_count, spec.class_count + 1):
        with torch.device("meta"):
            weights = Segmenter(replace(spec, class_count=count)).state_dict()
        shapes.append({name: tensor.shape for name, tensor in weights.items()})
    return {name for name, shape in shapes[0].items() if shape != shapes[1][name]}
