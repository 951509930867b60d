"""The regions that a model gets most wrong, as pictures beside their labels."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from lds_path.geometry import Size
from lds_path.inference.region_tensors import read_region
from lds_path.learning.tuning.score import segment_region
from lds_path.reference.legend import IGNORE
from lds_path.reporting import overlay, picture_footer
from lds_path.reporting.training_page import Example
from lds_path.unwarp.blend import unwarp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from lds_path.classes import LabelClass
    from lds_path.learning.data.labelled_regions import LabelledRegion, RegionCache
    from lds_path.learning.recipe import Recipe
    from lds_path.learning.tuning.score import Scores
    from lds_path.models.card import ModelCard
    from lds_path.network.segmenter import Segmenter

EXAMPLES = 6
_LONGEST = 400  # pixels of a picture's side
_LETTERS = 22


def worst_regions(scores: Scores, count: int = EXAMPLES) -> list[int]:
    """Return the indices of the regions with the largest wrong area, the worst first."""
    wrong = scores.wrong()
    order = np.argsort(-wrong, kind="stable")[:count].tolist()
    return [index for index in order if wrong[index] > 0]


def draw_examples(
    segmenter: Segmenter,
    cache: RegionCache,
    scores: Scores,
    card: ModelCard,
    device: torch.device,
    recipe: Recipe,
) -> list[Example]:
    """Return the worst regions as a page shows them.

    Parameters
    ----------
    segmenter, device, recipe
        As they were scored.
    cache, scores
        The regions, and what the network makes of them.
    card
        Description of the model.
    """
    examples = []
    for index in worst_regions(scores):
        labelled = cache.regions[index]
        output = segment_region(segmenter, cache, index, card.lattice, device, recipe=recipe)
        probability = torch.softmax(output.logits[0].float(), dim=0).cpu().numpy()
        level = _picture_level(labelled.region.size, card.network.view_level)
        pictures = _draw(
            labelled, probability, output.grid[0].float().cpu().numpy(), card.classes, level
        )
        x, y = _middle_l0(labelled)
        finding = describe_errors(scores.confusion[index], card.class_names)
        examples.append(Example(labelled.slide, f"{x}, {y}", finding, pictures))
    return examples


def describe_errors(confusion: NDArray[np.float64], names: Sequence[str]) -> str:
    """Return how much of a region is wrong, and which error is the largest."""
    known = ("tissue without a label", *names)
    wrong = confusion - np.diag(confusion.diagonal())
    reference, predicted = np.unravel_index(int(wrong.argmax()), wrong.shape)
    percent = 100 * wrong.sum() / max(confusion.sum(), 1e-9)
    return (
        f"{percent:.0f} % of its known area is wrong, most of it {known[int(reference)]} that is"
        f" called {known[int(predicted)]}"
    )


def _picture_level(size: Size, coarsest: int) -> int:
    """Return the finest level at which a region is no longer than a picture, if there is one."""
    longest = max(size.width, size.height)
    return min(max(math.ceil(math.log2(longest / _LONGEST)), 0), coarsest)


def _draw(
    labelled: LabelledRegion,
    probability: NDArray[np.float32],
    grid: NDArray[np.float32],
    classes: Sequence[LabelClass],
    level: int,
) -> tuple[Image.Image, Image.Image, Image.Image]:
    """Return a region, the region with its labels, and with those of the network."""
    region, step = labelled.region, 2**level
    size = Size(region.size.width // step, region.size.height // step)
    tissue = read_region(labelled.pyramid, region, level).permute(1, 2, 0).numpy()
    drawn = labelled.reference.read(region.left, region.top, region.size, step=step).copy()
    found = unwarp(probability, grid, size).argmax(axis=0).astype(np.uint8) + np.uint8(1)
    found[drawn == IGNORE] = drawn[drawn == IGNORE] = 0
    if labelled.tissue is not None:
        found[~labelled.tissue.read(region.left, region.top, size, scale=step)] = 0
    bar = picture_footer.scale_bar(labelled.pyramid.frame.mpp * step, size.width)
    plain, by_hand, by_network = (
        picture_footer.with_footer(picture, bar, letters=_LETTERS)
        for picture in (
            tissue,
            overlay.colour_labels(tissue, drawn, classes),
            overlay.colour_labels(tissue, found, classes),
        )
    )
    return plain, by_hand, by_network


def _middle_l0(labelled: LabelledRegion) -> tuple[int, int]:
    """Return the middle of a region in pixels of the slide's finest level, from the bounds corner."""
    region, downsample = labelled.region, labelled.pyramid.frame.downsample
    x = (region.left + region.size.width / 2) * downsample
    y = (region.top + region.size.height / 2) * downsample
    return round(x), round(y)
