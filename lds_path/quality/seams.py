"""Agreement of the regions of a slide where they overlap, from a bounded number of overlaps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from lds_path.formats.regions import spread_evenly
from lds_path.geometry import Rectangle, Size
from lds_path.unwarp.blend import Blend
from lds_path.unwarp.mesh import build_mesh

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lds_path.formats.labels.label_images import Labels
    from lds_path.formats.mask import Mask
    from lds_path.formats.predictions import Predictions
    from lds_path.geometry import Region

SEAM_COUNT = 20
"""Overlaps that are read, evenly spread over all of them."""
SEAM_LENGTH = 1024
STEP = 4
"""Working pixels between the points at which two regions are compared."""
_MIN_PERCENT = 1.0
"""Added to the percentage near borders, so that the index is bounded if there are none."""


@dataclass(frozen=True)
class Overlap:
    """Where two neighbouring regions overlap, in working pixels."""

    first: Region
    second: Region
    rectangle: Rectangle
    upright: bool
    """Whether the seam runs from top to bottom, between left and right."""


@dataclass(frozen=True)
class Seams:
    """Agreement of regions in their overlaps."""

    disagreement_percent: float | None
    """Share of the tissue in overlaps to which two regions give different classes."""
    index: float | None
    """That share over the share of the tissue that lies a sample's distance from a border."""
    worst: tuple[float, float] | None
    """Working pixel (x, y) in the middle of the largest disagreement."""


def find_overlaps(regions: Sequence[Region]) -> list[Overlap]:
    """Return the overlaps of all neighbours, left and right first, then upper and lower."""
    rows = sorted(regions, key=lambda region: (region.top, region.left))
    columns = sorted(regions, key=lambda region: (region.left, region.top))
    overlaps = [
        _overlap(*pair, upright=True) for pair in pairwise(rows) if pair[0].top == pair[1].top
    ]
    overlaps += [
        _overlap(*pair, upright=False) for pair in pairwise(columns) if pair[0].left == pair[1].left
    ]
    return [overlap for overlap in overlaps if not overlap.rectangle.is_empty]


def read_seams(
    predictions: Predictions, labels: Labels, mask: Mask, mpp: float, extent: Size
) -> Seams:
    """Return how well regions agree, from at most 20 overlaps with tissue.

    Parameters
    ----------
    predictions, labels, mask
        Of one slide.
    mpp
        Microns per working pixel.
    extent
        Of the slide, in working pixels.
    """
    chosen = _choose(find_overlaps(predictions.regions), mask, extent)
    different = known = 0
    near = np.zeros(2, np.int64)
    worst: tuple[float, tuple[float, float] | None] = (0.0, None)
    for overlap in chosen:
        disagrees, tissue = compare(predictions, overlap, mask)
        different, known = different + int(disagrees.sum()), known + int(tissue.sum())
        worst = max(worst, _worst_spot(disagrees, overlap), key=lambda spot: spot[0])
        near += count_near_borders(*_read_around(labels, overlap, mpp))
    if not known or not near[1]:
        return Seams(None, None, None)
    disagreement = 100 * different / known
    index = disagreement / (100 * float(near[0] / near[1]) + _MIN_PERCENT)
    return Seams(disagreement, index, worst[1])


def compare(
    predictions: Predictions, overlap: Overlap, mask: Mask
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where the two regions of an overlap give different classes, and where tissue is.

    Both are on every fourth working pixel, (h, w).
    """
    rectangle = overlap.rectangle
    size = Size(rectangle.size.width // STEP, rectangle.size.height // STEP)
    first, second = (_classes(predictions, overlap, size, k) for k in (0, 1))
    tissue = mask.read(rectangle.left, rectangle.top, size, scale=STEP)
    return (first != second) & tissue, tissue


def count_near_borders(labels: NDArray[np.uint8], distance: int) -> NDArray[np.int64]:
    """Return the number of labelled pixels near another label, and of all labelled pixels.

    Parameters
    ----------
    labels
        (H, W), 0 is no label.
    distance
        In pixels.
    """
    known = labels > 0
    width = 2 * distance + 1
    lowest = ndimage.minimum_filter(np.where(known, labels, 255), width)
    near = known & (ndimage.maximum_filter(labels, width) != lowest)
    return np.array([np.count_nonzero(near), np.count_nonzero(known)], np.int64)


def _overlap(first: Region, second: Region, *, upright: bool) -> Overlap:
    return Overlap(first, second, first.rectangle.intersection(second.rectangle), upright)


def _choose(overlaps: Sequence[Overlap], mask: Mask, extent: Size) -> list[Overlap]:
    """Return overlaps evenly spread over those with tissue, shortened to a bounded length."""
    candidates = [_shorten(each, extent) for each in spread_evenly(overlaps, 4 * SEAM_COUNT)]
    with_tissue = [overlap for overlap in candidates if _tissue_share(overlap, mask) > 0.25]
    return spread_evenly(with_tissue, SEAM_COUNT)


def _tissue_share(overlap: Overlap, mask: Mask) -> float:
    rectangle = overlap.rectangle
    scale = max(min(rectangle.size.width, rectangle.size.height) / 4, 1.0)
    size = Size(
        max(int(rectangle.size.width / scale), 1), max(int(rectangle.size.height / scale), 1)
    )
    return float(mask.read(rectangle.left, rectangle.top, size, scale=scale).mean())


def _shorten(overlap: Overlap, extent: Size) -> Overlap:
    """Return the middle of an overlap, at most `SEAM_LENGTH` long and within the slide."""
    inside = overlap.rectangle.clipped(extent)
    left, top, width, height = inside.left, inside.top, inside.size.width, inside.size.height
    if overlap.upright:
        top, height = top + max(height - SEAM_LENGTH, 0) // 2, min(height, SEAM_LENGTH)
    else:
        left, width = left + max(width - SEAM_LENGTH, 0) // 2, min(width, SEAM_LENGTH)
    size = Size(max(width, STEP), max(height, STEP))
    return replace(overlap, rectangle=Rectangle(left, top, size))


def _classes(
    predictions: Predictions, overlap: Overlap, size: Size, which: int
) -> NDArray[np.int64]:
    """Return the likeliest class by only one of the two regions, (h, w)."""
    region = (overlap.first, overlap.second)[which]
    prediction = predictions.read(region.index)
    blend = Blend(size, len(prediction.probability))
    blend.add(
        build_mesh(prediction.probability, prediction.positions, region.size),
        np.ones(size.width, np.float32),
        np.ones(size.height, np.float32),
        left=overlap.rectangle.left - region.left,
        top=overlap.rectangle.top - region.top,
        scale=STEP,
    )
    likeliest: NDArray[np.int64] = blend.mean.argmax(axis=2)
    return likeliest


def _worst_spot(
    disagrees: NDArray[np.bool_], overlap: Overlap
) -> tuple[float, tuple[float, float]]:
    """Return how much regions disagree around the worst point of an overlap, and that point."""
    around = ndimage.uniform_filter(disagrees.astype(np.float32), 48, mode="constant")
    row, column = np.unravel_index(around.argmax(), around.shape)
    x = overlap.rectangle.left + (float(column) + 0.5) * STEP
    y = overlap.rectangle.top + (float(row) + 0.5) * STEP
    return float(around.max()), (x, y)


def _read_around(labels: Labels, overlap: Overlap, mpp: float) -> tuple[NDArray[np.uint8], int]:
    """Return the labels of an overlap and as far again on both sides, and the distance of samples.

    Both are in label pixels.
    """
    scale, size = mpp / labels.mpp, overlap.rectangle.size
    grow_x, grow_y = (size.width, 0) if overlap.upright else (0, size.height)
    left, top = max(overlap.rectangle.left - grow_x, 0), max(overlap.rectangle.top - grow_y, 0)
    pixels = Size(
        max(round((size.width + 2 * grow_x) * scale), 1),
        max(round((size.height + 2 * grow_y) * scale), 1),
    )
    region = overlap.first
    distance = max(round(region.size.width / region.lattice.width * scale), 1)
    return labels.read(0, round(left * scale), round(top * scale), pixels), distance
