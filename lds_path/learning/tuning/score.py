"""How well a network segments labelled regions.

Convention: confusion[i, j] is the area of class i that is called class j; the classes start at 1, and
0 is tissue without a label where any class is wrong.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from lds_path.formats.regions import spread_evenly
from lds_path.geometry import Size
from lds_path.learning.densities import imposed_density, wanted_density
from lds_path.learning.lattice_output import segment_batch
from lds_path.learning.streams import stream
from lds_path.network.samplers import as_float64
from lds_path.unwarp.blend import unwarp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lds_path.learning.data.labelled_regions import LabelledRegion, RegionCache
    from lds_path.learning.data.training_set import TrainingSet
    from lds_path.learning.lattice_output import LatticeOutput
    from lds_path.learning.recipe import Recipe
    from lds_path.network.segmenter import Segmenter


@dataclass(frozen=True)
class Scores:
    """What a network makes of labelled regions."""

    regions: Sequence[LabelledRegion]
    confusion: NDArray[np.float64]
    """Of each region, as fractions of its area, (regions, classes + 1, classes + 1)."""

    def dice(self) -> NDArray[np.float64]:
        """Return the Dice of each class, (classes,); NaN for a class that no region holds."""
        return self._dice_of(range(len(self.regions)))

    def dice_by_slide(self) -> dict[str, NDArray[np.float64]]:
        """Return the Dice of each class on each slide, as `dice` does."""
        slides = [labelled.slide for labelled in self.regions]
        return {
            slide: self._dice_of([index for index, one in enumerate(slides) if one == slide])
            for slide in dict.fromkeys(slides)
        }

    def wrong(self) -> NDArray[np.float64]:
        """Return the part of each region's area that is wrong, (regions,)."""
        diagonal = np.trace(self.confusion, axis1=1, axis2=2)
        wrong: NDArray[np.float64] = self.confusion.sum(axis=(1, 2)) - diagonal
        return wrong

    def _dice_of(self, indices: Sequence[int]) -> NDArray[np.float64]:
        weights = np.array([self.regions[index].stands_for for index in indices])
        area = np.tensordot(weights, self.confusion[list(indices)], axes=1)  # (C + 1, C + 1)
        return dice_of(area)


def dice_of(confusion: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Dice of each class, (..., C); NaN for a class that the reference does not hold.

    Parameters
    ----------
    confusion
        (..., C + 1, C + 1), by this module's convention.
    """
    reference, predicted = confusion.sum(axis=-1)[..., 1:], confusion.sum(axis=-2)[..., 1:]
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)[..., 1:]
    both = np.maximum(reference + predicted, np.finfo(float).tiny)
    return np.where(reference > 0, 2 * hits / both, np.nan)


def choose_regions(found: TrainingSet, count: int) -> list[LabelledRegion]:
    """Return all regions, or this number of them, most of them with a label.

    Each of these stands for the ones that are left out, those with and those without a label
    apart, so that sums over them are those over all.
    """
    if len(found.regions) <= count:
        return list(found.regions)
    groups: dict[bool, list[LabelledRegion]] = {True: [], False: []}
    for labelled, counts in zip(found.regions, found.counts, strict=True):
        groups[bool(counts.any())].append(labelled)
    bare = min(len(groups[False]), max(count - len(groups[True]), count // 4))
    return [
        replace(labelled, stands_for=len(group) / len(chosen))
        for group, part in ((groups[True], count - bare), (groups[False], bare))
        for chosen in (spread_evenly(group, part),)
        for labelled in chosen
    ]


@torch.inference_mode()
def score_regions(
    segmenter: Segmenter,
    cache: RegionCache,
    lattice: Size,
    device: torch.device,
    *,
    recipe: Recipe | None = None,
    on_pixels: bool = False,
    values: Sequence[int] = (),
) -> Scores:
    """Return what a network makes of regions.

    The samples count by the area that they stand for, so the result estimates the confusion at
    full resolution. A recipe that does not sample by the network does not do so here either.

    With `on_pixels` the scores are carried back to pixels first, as `stitch` does it. That takes longer, and tells what
    is lost between the samples: only so can lattices be compared, or grids.

    `values` are what the classes of the network are called in the labels, 0 for a class that these do not know; when
    empty, both have the same classes.
    """
    outputs = (
        segment_region(segmenter, cache, index, lattice, device, recipe=recipe)
        for index in range(len(cache))
    )
    values = values or range(1, segmenter.spec.class_count + 1)
    count = partial(_pixel_confusion if on_pixels else _confusion, values=values)
    confusions = [count(output) for output in outputs]
    side = len(confusions[0]) if confusions else segmenter.spec.class_count + 1
    return Scores(cache.regions, np.array(confusions).reshape(-1, side, side))


def tune_dice(
    segmenter: Segmenter,
    cache: RegionCache,
    lattice: Size,
    device: torch.device,
    *,
    recipe: Recipe | None = None,
    on_pixels: bool = False,
) -> NDArray[np.float64]:
    """Return the Dice of each class over regions, (C,); see `score_regions`."""
    found = score_regions(segmenter, cache, lattice, device, recipe=recipe, on_pixels=on_pixels)
    return found.dice()


@torch.inference_mode()
def segment_region(
    segmenter: Segmenter,
    cache: RegionCache,
    index: int,
    lattice: Size,
    device: torch.device,
    *,
    recipe: Recipe | None = None,
) -> LatticeOutput:
    """Return what a network makes of one region of a cache; see `score_regions`."""
    segmenter.eval()
    batch = cache.read(index).to(device)
    density = None
    if recipe is not None and recipe.sample_by != "network":
        wanted = wanted_density(batch.for_lattices(lattice), recipe)
        density = imposed_density(wanted, recipe, stream(recipe.seed, "tune density", index))
    return segment_batch(segmenter, batch, lattice, density)


def known(dice: NDArray[np.float64]) -> tuple[float | None, ...]:
    """Return the Dice of each class, None where it was not measured."""
    return tuple(None if math.isnan(value) else value for value in dice.tolist())


def by_class(classes: Sequence[str], dice: Sequence[float | None]) -> dict[str, float | None]:
    """Return class -> Dice, with four decimals."""
    return {
        name: None if value is None else round(value, 4)
        for name, value in zip(classes, dice, strict=True)
    }


def _confusion(output: LatticeOutput, values: Sequence[int]) -> NDArray[np.float64]:
    """Return the confusion of one region, as a fraction of its area, (C + 1, C + 1)."""
    count = output.target.shape[1]
    called = torch.tensor(values, device=output.logits.device)[output.logits.argmax(dim=1)]
    chosen = F.one_hot(called, count + 1).movedim(-1, 1)
    known = output.target * output.labelled
    bare = known.new_zeros(output.area.shape) if output.unlabelled is None else output.unlabelled
    area = torch.cat((bare, known), dim=1) * output.area  # (1, C + 1, h, w)
    pairs = torch.einsum("brhw,bphw->rp", as_float64(area), as_float64(chosen))
    confusion: NDArray[np.float64] = (pairs / output.area[0].numel()).cpu().numpy()
    return confusion


def _pixel_confusion(output: LatticeOutput, values: Sequence[int]) -> NDArray[np.float64]:
    """Return the confusion of one region on the pixels of its finest level, (C + 1, C + 1)."""
    shares = output.batch.fractions[0][0].cpu().numpy()  # (C, H, W)
    bare = output.batch.unlabelled[0][0].cpu().numpy() if output.batch.unlabelled else None
    size = Size(shares.shape[2], shares.shape[1])
    scores = torch.softmax(output.logits[0].float(), dim=0).cpu().numpy()
    labels = np.array(values)[unwarp(scores, output.grid[0].cpu().numpy(), size).argmax(axis=0)]
    confusion = np.zeros((len(shares) + 1, len(shares) + 1))
    for value in range(len(shares) + 1):
        predicted = labels == value
        confusion[1:, value] = shares[:, predicted].sum(axis=1)
        confusion[0, value] = 0 if bare is None else bare[:, predicted].sum()
    return confusion / (255 * size.area)
