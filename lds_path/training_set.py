"""The labelled slides of a sheet and their regions: what a training learns from."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tqdm import tqdm

from lds_path.dataset import LabelledRegion, class_counts, read_region
from lds_path.errors import TrainingError
from lds_path.formats.manifest import read_manifest
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.reference import IGNORE, open_reference
from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.formats.sheet import read_sheet
from lds_path.geometry import Size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

log = logging.getLogger(__name__)

SPLITS = ("train", "tune")
_MOST_COLOUR_REGIONS = 64


@dataclass(frozen=True)
class LabelledSlide:
    """A slide with reference labels whose pyramid and regions are ready."""

    slide: str
    tile: Path
    detect: Path
    labels: Path
    roi: Path | None
    mpp: float
    """Microns per working pixel that were asked for."""


@dataclass(frozen=True)
class TrainingSet:
    """Labelled regions of one split."""

    regions: list[LabelledRegion]
    counts: NDArray[np.int64]
    """Labelled pixels of each class in each region, (regions, classes), of a sample of them."""


def find_slides(
    sheet: Path, *, base: Path | None, tile: Path, detect: Path
) -> dict[str, list[LabelledSlide]]:
    """Return the slides to learn from (`train`) and those to choose the weights by (`tune`).

    Parameters
    ----------
    sheet
        Sample sheet.
    base
        Folder that its relative paths start from; its own when None.
    tile, detect
        Folders that hold those stages' folders, one per slide.

    Raises
    ------
    TrainingError
        If no slide of the split `train` has labels.
    """
    found: dict[str, list[LabelledSlide]] = {split: [] for split in SPLITS}
    for row in read_sheet(sheet, base=base).itertuples():
        if row.split not in found or not row.labels:
            continue
        slide = str(row.slide)
        if reason := read_manifest(detect / slide).reason:
            log.warning("%s is left out of the training: %s", slide, reason)
            continue
        asked = read_manifest(tile / slide).parameters.get("mpp", 0.0)
        roi = Path(str(row.roi)) if row.roi else None
        found[str(row.split)].append(
            LabelledSlide(
                slide, tile / slide, detect / slide, Path(str(row.labels)), roi, float(asked)
            )
        )
    if not found["train"]:
        raise TrainingError(
            f"{sheet} has no slide to learn from: fill its columns 'labels' and 'split' ('train',"
            " and 'tune' for a few others) for some slides that are not quarantined"
        )
    if not found["tune"]:
        log.warning("%s has no labelled slide of the split 'tune': the last weights count", sheet)
    return found


def open_training_set(slides: Sequence[LabelledSlide], classes: Sequence[str]) -> TrainingSet:
    """Return the regions of slides in which something is labelled.

    Raises
    ------
    TrainingError
        If a label is none of the classes, or nothing is labelled at all.
    """
    regions, rows = [], []
    everything = [pair for slide in slides for pair in _labelled_regions(slide, classes)]
    for path, labelled in tqdm(everything, unit="region", desc="labels", disable=None):
        counts = class_counts(labelled)
        _check_values(path, counts, classes)
        if counts[1 : len(classes) + 1].any():
            regions.append(labelled)
            rows.append(counts[1 : len(classes) + 1])
    if slides and not regions:
        names = ", ".join(slide.slide for slide in slides)
        raise TrainingError(
            f"no region of {names} has a labelled pixel; check that the labels belong to the slides"
        )
    counts = np.array(rows, dtype=np.int64).reshape(len(rows), len(classes))
    return TrainingSet(regions, counts)


def check_alike(regions: Sequence[LabelledRegion]) -> None:
    """Check that all regions have the same size and lattice.

    Raises
    ------
    TrainingError
        If two differ.
    """
    first = regions[0]
    for one in regions:
        if (one.region.size, one.region.lattice) != (first.region.size, first.region.lattice):
            raise TrainingError(
                f"the regions of {one.slide} and {first.slide} differ in size or lattice; run"
                " detect for both with the same `region_size` and `lattice`"
            )


def common_mpp(slides: Sequence[LabelledSlide]) -> float:
    """Return the microns per pixel that all slides were tiled at.

    Raises
    ------
    TrainingError
        If two differ.
    """
    first = slides[0]
    for one in slides:
        if one.mpp != first.mpp:
            raise TrainingError(
                f"{one.slide} was tiled at {one.mpp} microns per pixel and {first.slide} at"
                f" {first.mpp}; tile all slides of a training at one mpp"
            )
    return first.mpp


def measure_colour(
    regions: Sequence[LabelledRegion], level: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of red, green and blue, in [0, 1], at a level."""
    chosen = spread(regions, _MOST_COLOUR_REGIONS)
    views = [read_region(one.pyramid, one.region, level).flatten(1) for one in chosen]
    pixels = np.concatenate([view.numpy() for view in views], axis=1) / 255.0  # (3, n)
    mean, std = pixels.mean(axis=1), np.maximum(pixels.std(axis=1), 0.01)
    return tuple(np.round(mean, 4).tolist()), tuple(np.round(std, 4).tolist())


def spread(regions: Sequence[LabelledRegion], most: int) -> list[LabelledRegion]:
    """Return all regions, or as many as asked for spread evenly over them."""
    if len(regions) <= most:
        return list(regions)
    return [regions[index * len(regions) // most] for index in range(most)]


def _labelled_regions(
    slide: LabelledSlide, classes: Sequence[str]
) -> Iterator[tuple[Path, LabelledRegion]]:
    pyramid = open_pyramid(slide.tile)
    results = read_manifest(slide.tile).results
    reference = open_reference(
        slide.labels,
        classes=classes,
        slide=pyramid.size,
        bounds_l0=Size(int(results["width_l0"]), int(results["height_l0"])),
        downsample=pyramid.frame.downsample,
        roi=slide.roi,
    )
    for region in read_regions(slide.detect / REGIONS_NAME):
        yield slide.labels, LabelledRegion(slide.slide, pyramid, reference, region)


def _check_values(path: Path, counts: NDArray[np.int64], classes: Sequence[str]) -> None:
    unknown = [value for value in np.flatnonzero(counts).tolist() if len(classes) < value != IGNORE]
    if unknown:
        raise TrainingError(
            f"{path} has the label value {unknown[0]}, but `classes` lists {len(classes)}"
            f" ({', '.join(classes)}): values are 1 to {len(classes)}, 0 for background and"
            f" {IGNORE} to ignore"
        )
