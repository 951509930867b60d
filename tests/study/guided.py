"""Scores of models that the reference labels, or chance, tell where to sample.

The stage `segment` knows no labels; here the regions go the same way with a density from outside.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sets import class_names

from lds_path.learning.data.labelled_regions import read_labelled
from lds_path.learning.data.training_set import LabelledSlide, open_training_set
from lds_path.learning.densities import imposed_density, wanted_density
from lds_path.learning.lattice_output import segment_batch
from lds_path.learning.recipe import Recipe
from lds_path.models.checkpoint import load_model
from lds_path.reference.legend import Legend
from lds_path.reference.scores import count_confusion, overlap_of
from lds_path.unwarp.blend import unwarp
from lds_path.unwarp.round_trip import lattice_shares

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.learning.data.labelled_regions import LabelledRegion
    from lds_path.network.segmenter import Segmenter


def score_guided(
    data: Path, layout: str, name: str, model: Path, slides: Mapping[str, Path]
) -> dict[str, Any]:
    """Return how good a model is, sampled as the `sample_by` of its training says."""
    segmenter, card = load_model(model)
    segmenter.eval()
    known = {one.name for one in fields(Recipe)}
    recipe = Recipe(**{name: value for name, value in card.training.items() if name in known})
    classes = class_names(name)
    labelled = [
        LabelledSlide(
            slide, data / "tile" / slide, data / "detect" / layout / slide, path, None, "", 0.0, 0.0
        )
        for slide, path in slides.items()
    ]
    legend = Legend(classes)
    confusion = np.zeros((len(classes) + 1,) * 2, np.int64)
    ceiling = confusion.copy()
    samples = 0
    for index, region in enumerate(open_training_set(labelled, legend).regions):
        truth, found, back = _segment(region, segmenter, recipe, np.random.default_rng(index))
        labels = (truth > 0) & (truth <= len(classes))
        confusion += count_confusion(truth[labels], found[labels], len(classes))
        ceiling += count_confusion(truth[labels], back[labels], len(classes))
        samples += region.region.lattice.width * region.region.lattice.height
    pixels = overlap_of(confusion)
    return {
        "budget": "uniform",
        "samples": samples,
        "iou": pixels.iou().tolist(),
        "dice": pixels.dice().tolist(),
        "ceiling_iou": overlap_of(ceiling).iou().tolist(),
        "confusion": confusion.tolist(),
    }


@torch.inference_mode()
def _segment(
    labelled: LabelledRegion, segmenter: Segmenter, recipe: Recipe, random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Return true labels, those that the model finds, and those that come back from the samples."""
    region, count = labelled.region, segmenter.spec.class_count
    batch = read_labelled(labelled, segmenter.spec).for_lattices(region.lattice)
    density = imposed_density(wanted_density(batch, recipe), recipe, random)
    output = segment_batch(segmenter, batch, region.lattice, density)
    grid = output.grid[0].numpy()
    truth = labelled.reference.read(region.left, region.top, region.size)
    found = (
        unwarp(torch.softmax(output.logits, dim=1)[0].numpy(), grid, region.size).argmax(axis=0) + 1
    )
    back = unwarp(lattice_shares(truth, grid, count + 1), grid, region.size).argmax(axis=0)
    return truth, found.astype(np.uint8), back.astype(np.uint8)
