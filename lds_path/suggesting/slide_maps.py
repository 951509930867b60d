"""What the folders of a run say of a slide, as maps with the coarse pixels of its confidence.

Convention: (row, column), pixel areas, from the corner of the working pixels; no network runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lds_path.errors import StageInputError
from lds_path.formats.grey_image import open_confidence
from lds_path.formats.labels.label_images import open_labels
from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.formats.results import StitchResults
from lds_path.formats.spread import DISTANCES_NAME, read_distances
from lds_path.geometry import Size
from lds_path.inference.expected_errors import EXPECTED_ERRORS_NAME, read_expected_errors

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from lds_path.geometry import Rectangle, Region
    from lds_path.provenance.cohort import SlideRecord
    from lds_path.provenance.stage_folder import StageFolder

MAX_DISTANCE = 4.0
"""Farther than that counts as that far: dirt and pen are farthest, and teach nothing."""


@dataclass(frozen=True)
class SlideMaps:
    """What is known of each pixel of a slide."""

    analysed: NDArray[np.bool_]
    """Whether it has a label."""
    parts: Mapping[str, NDArray[np.float32]]
    """Part of the score -> its value, NaN where it is not known.

    `doubt`: 1 - the probability of the label, as a fraction of the most that it can be. `distance`: how
    far the tissue is from what the model learned from, 0 for half of that, 1 at its limit. `error`: what
    a model with a ladder expects to get wrong."""
    predicted: Mapping[int, NDArray[np.bool_]] = field(default_factory=dict)
    """Value of a class -> where it was predicted."""


def read_maps(record: SlideRecord) -> SlideMaps:
    """Return the maps of a slide whose label image is done.

    Raises
    ------
    StageInputError
        If a file is missing or damaged.
    """
    plan, stitch = (record.stages[name].folders[0] for name in ("plan", "stitch"))
    stitched, confidence = stitch.read(StitchResults), open_confidence(stitch)
    analysed = confidence.pixels > 0
    chance = 1 / max(len(stitched.classes), 2)
    doubt = (1 - confidence.pixels / np.float32(255)) / np.float32(1 - chance)
    parts = {"doubt": np.where(analysed, np.clip(doubt, 0, 1), np.float32(np.nan))}
    regions = read_regions(plan.file(REGIONS_NAME))
    boxes = place_regions(regions, stitched.scale * confidence.downsample)
    if known := _read_distances(record.stages["segment"].folders):
        _check_regions(record.slide, "segment", max(known) + 1, len(boxes))
        found = [(boxes[index], values) for index, values in known.items()]
        parts["distance"] = paint_means(analysed.shape, found)
    if EXPECTED_ERRORS_NAME in plan.manifest.outputs:
        errors = read_expected_errors(plan.file(EXPECTED_ERRORS_NAME))
        _check_regions(record.slide, "plan", len(errors), len(boxes))
        parts["error"] = paint_means(analysed.shape, _per_pixel(errors, boxes, analysed))
    labels = _read_labels(stitch, Size(analysed.shape[1], analysed.shape[0]), confidence.downsample)
    predicted = {item.value: analysed & (labels == item.value) for item in stitched.classes}
    return SlideMaps(analysed, parts, predicted)


def place_regions(regions: Sequence[Region], scale: float) -> list[tuple[slice, slice]]:
    """Return the rows and columns of each region; `scale` is in working pixels per pixel."""

    def span(start: int, length: int) -> slice:
        return slice(round(start / scale), round((start + length) / scale))

    rectangles: Iterable[Rectangle] = (region.rectangle for region in regions)
    return [
        (span(each.top, each.size.height), span(each.left, each.size.width)) for each in rectangles
    ]


def paint_means(
    shape: tuple[int, int], found: Iterable[tuple[tuple[slice, slice], NDArray[np.float64]]]
) -> NDArray[np.float32]:
    """Return the mean of what is found at each pixel, NaN where nothing is.

    Parameters
    ----------
    shape
        Rows and columns; what lies beyond is left out.
    found
        Rows and columns of each region, and its values, (k, k), which divide it evenly.
    """
    total, count = np.zeros(shape, np.float32), np.zeros(shape, np.uint16)
    for (rows, columns), values in found:
        row, column = (
            np.arange(span.stop - span.start) * len(values) // max(span.stop - span.start, 1)
            for span in (rows, columns)
        )
        here = total[rows, columns]
        here += values[row[: here.shape[0], None], column[: here.shape[1]]]
        count[rows, columns] += 1
    means: NDArray[np.float32] = np.where(
        count > 0, total / np.maximum(count, 1), np.float32(np.nan)
    )
    return means


def _read_labels(stitch: StageFolder, size: Size, downsample: int) -> NDArray[np.uint8]:
    """Return the label image with the pixels of the confidence, (height, width)."""
    with open_labels(stitch) as labels:
        level = min(int(math.log2(downsample)), labels.level_count - 1)
        whole = labels.read(level, 0, 0, labels.level_size(level))
    step = downsample / 2**level
    rows, columns = (
        np.minimum(((np.arange(count) + 0.5) * step).astype(int), length - 1)
        for count, length in zip((size.height, size.width), whole.shape, strict=True)
    )
    return whole[np.ix_(rows, columns)]


def _check_regions(slide: str, stage: str, found: int, expected: int) -> None:
    if found > expected:
        raise StageInputError(
            f"{slide}: {stage} knows {found} regions and its plan {expected}; run {stage} again"
        )


def _read_distances(segment: Sequence[StageFolder]) -> dict[int, NDArray[np.float64]]:
    """Return region -> distances of its patches, (k, k), of all shards that have any."""
    known: dict[int, NDArray[np.float64]] = {}
    for shard in segment:
        if DISTANCES_NAME in shard.manifest.outputs:
            known |= read_distances(shard.file(DISTANCES_NAME))
    sides = {index: round(values.size**0.5) for index, values in known.items()}
    return {
        index: np.clip(values, 0, MAX_DISTANCE).reshape(sides[index], sides[index])
        for index, values in known.items()
    }


def _per_pixel(
    errors: Sequence[float], boxes: Sequence[tuple[slice, slice]], analysed: NDArray[np.bool_]
) -> Iterable[tuple[tuple[slice, slice], NDArray[np.float64]]]:
    """Yield each region with its error per pixel that was analysed."""
    for error, box in zip(errors, boxes, strict=False):
        pixels = int(analysed[box].sum())
        yield box, np.array([[error / max(pixels, 1)]])
