"""The labelled slides of a sheet and their regions: the data of a training."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from lds_path.errors import TrainingError
from lds_path.formats.mask import open_mask
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.regions import REGIONS_NAME, read_regions, spread_evenly
from lds_path.formats.results import DetectParameters, TileParameters, TileResults
from lds_path.inference.region_tensors import read_region
from lds_path.learning.data.label_counts import count_labels
from lds_path.learning.data.labelled_regions import LabelledRegion
from lds_path.models.working import is_other_mpp
from lds_path.provenance.stage_folder import open_folder, read_results
from lds_path.reference.legend import BACKGROUND
from lds_path.reference.reference import open_reference
from lds_path.run.sheet import read_sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from lds_path.reference.legend import Legend

log = logging.getLogger(__name__)

SPLITS = ("train", "tune")
_MAX_COLOUR_REGIONS = 64


@dataclass(frozen=True)
class LabelledSlide:
    """A slide with reference labels whose pyramid and regions are ready."""

    slide: str
    tile: Path
    detect: Path
    labels: Path
    roi: Path | None
    patient: str
    mpp: float
    """Microns per working pixel that were asked for."""
    true_mpp: float
    """Microns per working pixel that the slide has."""


@dataclass(frozen=True)
class TrainingSet:
    """Labelled regions of one split."""

    regions: list[LabelledRegion]
    counts: NDArray[np.int64]
    """Labelled pixels of each class in each region, (regions, classes)."""

    def slides_with(self, number: int) -> list[str]:
        """Return the slides in which a class, counted from 0, is labelled."""
        pairs = zip(self.regions, self.counts[:, number].tolist(), strict=True)
        return list(dict.fromkeys(labelled.slide for labelled, pixels in pairs if pixels))


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
        If no slide of the split `train` has labels, slides of the split `tune` are there but none
        has labels, or the same slide is in both.
    """
    slides: dict[str, list[LabelledSlide]] = {split: [] for split in SPLITS}
    rows = read_sheet(sheet, base=base)
    for row in rows[rows["split"].isin(SPLITS) & (rows["labels"] != "")].itertuples():
        slide = str(row.slide)
        if reason := open_folder(detect / slide).manifest.reason:
            log.warning("%s is left out of the training: %s", slide, reason)
            continue
        tiled = open_folder(tile / slide)
        slides[str(row.split)].append(
            LabelledSlide(
                slide=slide,
                tile=tile / slide,
                detect=detect / slide,
                labels=Path(str(row.labels)),
                roi=Path(str(row.roi)) if row.roi else None,
                patient=str(row.patient),
                mpp=tiled.read(TileParameters).mpp,
                true_mpp=tiled.read(TileResults).mpp,
            )
        )
    if not slides["train"]:
        raise TrainingError(
            f"{sheet} has no slide to learn from: fill its columns 'labels' and 'split' ('train',"
            " and 'tune' for a few others) for some slides that are not quarantined"
        )
    _check_contents(slides)
    _check_tune(sheet, rows.index[rows["split"] == "tune"].tolist(), slides["tune"])
    return slides


def open_training_set(
    slides: Sequence[LabelledSlide],
    legend: Legend,
    *,
    threads: int = 1,
    for_scores: bool = False,
) -> TrainingSet:
    """Return the regions of slides in which something is labelled.

    Parameters
    ----------
    slides
        Where to look.
    legend
        Meaning of their labels.
    threads
        Number of reading threads.
    for_scores
        Return also the regions without a label in which every label of the network is wrong.

    Raises
    ------
    LabelsError
        If the labels of a slide cannot be read or do not fit it or the classes.
    TrainingError
        If nothing is labelled at all.
    """
    count = len(legend.classes)
    candidates = [region for slide in slides for region in _labelled_regions(slide, legend)]
    counted = count_labels(candidates, threads=threads)
    is_bare_wrong = legend.unlabelled_value == BACKGROUND
    regions, rows = [], []
    bar = tqdm(counted, total=len(candidates), unit="region", desc="labels", disable=None)
    for labelled, counts in zip(candidates, bar, strict=True):
        classes = counts[1 : count + 1]
        if classes.any() or (for_scores and is_bare_wrong and counts[BACKGROUND]):
            regions.append(labelled)
            rows.append(classes)
    if slides and not np.any(rows):
        names = ", ".join(slide.slide for slide in slides)
        raise TrainingError(
            f"no region of {names} has a labelled pixel; check that the labels belong to the slides"
        )
    return TrainingSet(regions, np.array(rows, dtype=np.int64).reshape(len(rows), count))


def check_classes(train: TrainingSet, legend: Legend) -> None:
    """Check that each class can be learned.

    Raises
    ------
    TrainingError
        If no slide to learn from has a pixel of a class.
    """
    for name, pixels in zip(legend.classes, train.counts.sum(axis=0).tolist(), strict=True):
        if not pixels:
            raise TrainingError(
                f"no slide of the split 'train' has a pixel of the class '{name}'; annotate some,"
                " map another class to it in `class_map`, or take it out of `classes`"
            )


def check_alike(regions: Sequence[LabelledRegion]) -> None:
    """Check that all regions have the same size and lattice.

    Raises
    ------
    TrainingError
        If two differ.
    """
    first = regions[0]
    for labelled in regions:
        if (labelled.region.size, labelled.region.lattice) != (
            first.region.size,
            first.region.lattice,
        ):
            raise TrainingError(
                f"the regions of {labelled.slide} and {first.slide} differ in size or lattice; run"
                " detect for both with the same `region_size` and `lattice`"
            )


def common_mpp(slides: Sequence[LabelledSlide]) -> float:
    """Return the microns per pixel that all slides were tiled at.

    Raises
    ------
    TrainingError
        If two differ, or a slide is coarser than what was asked for.
    """
    first = slides[0]
    for slide in slides:
        if slide.mpp != first.mpp:
            raise TrainingError(
                f"{slide.slide} was tiled at {slide.mpp} microns per pixel and {first.slide} at"
                f" {first.mpp}; tile all slides of a training at one mpp"
            )
        if is_other_mpp(slide.true_mpp, slide.mpp):
            raise TrainingError(
                f"{slide.slide} has {slide.true_mpp:.4g} microns per pixel, but the training is at"
                f" {slide.mpp}; leave it out, or train at an `mpp` that every slide offers"
            )
    return first.mpp


def summarise(
    slides: Sequence[LabelledSlide], training_set: TrainingSet, legend: Legend
) -> dict[str, Any]:
    """Return a summary of a split: slides, patients, regions and labelled area.

    Where regions overlap, the area counts once for each of them.
    """
    pixel_mm2 = (slides[0].true_mpp / 1000) ** 2 if slides else 0.0
    pixels = training_set.counts.sum(axis=0).tolist()
    references = {region.slide: region.reference for region in training_set.regions}
    empty = sum(reference.empty_objects for reference in references.values())
    return {
        "slides": [slide.slide for slide in slides],
        "patients": len({slide.patient or slide.slide for slide in slides}),
        "regions": len(training_set.regions),
        "labelled_mm2": {
            name: round(count * pixel_mm2, 4)
            for name, count in zip(legend.classes, pixels, strict=True)
        },
        **({"empty_objects": empty} if empty else {}),
    }


def origin_of(slides: Sequence[LabelledSlide]) -> dict[str, Any]:
    """Return how training slides were cut up, and whether all of them were painted."""
    return {
        "overlap": open_folder(slides[0].detect).read(DetectParameters).overlap,
        "synthetic": all(open_folder(slide.tile).read(TileResults).painted for slide in slides),
    }


def measure_colour(
    regions: Sequence[LabelledRegion], level: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of red, green and blue, in [0, 1], at a level."""
    chosen = spread_evenly(regions, _MAX_COLOUR_REGIONS)
    views = [
        read_region(labelled.pyramid, labelled.region, level).flatten(1) for labelled in chosen
    ]
    pixels = np.concatenate([view.numpy() for view in views], axis=1) / 255.0  # (3, n)
    mean, std = pixels.mean(axis=1), np.maximum(pixels.std(axis=1), 0.01)
    return tuple(np.round(mean, 4).tolist()), tuple(np.round(std, 4).tolist())


def _check_contents(slides: Mapping[str, Sequence[LabelledSlide]]) -> None:
    """Check that no slide to learn from is, under another name, also one to score."""
    learned = {_content_of(slide): slide.slide for slide in slides["train"]}
    for slide in slides["tune"]:
        if same := learned.get(_content_of(slide)):
            raise TrainingError(
                f"{same} (train) and {slide.slide} (tune) are the same slide under two names; remove"
                " one of them from the sheet"
            )


def _content_of(slide: LabelledSlide) -> tuple[str, int, Path | None]:
    """Return the hash of a slide's file, which image of it is the slide, and which part has labels."""
    tiled = open_folder(slide.tile)
    image_number = tiled.read(TileResults).image_number
    return tiled.manifest.inputs["slide"]["sha256"], image_number, slide.roi


def _check_tune(sheet: Path, ids: Sequence[str], slides: Sequence[LabelledSlide]) -> None:
    if ids and not slides:
        raise TrainingError(
            f"{sheet} has the split 'tune' for {', '.join(ids)}, but none of them has labels and"
            " is not quarantined; annotate one, or clear their split"
        )
    if not slides:
        log.warning(
            "%s has no labelled slide of the split 'tune': the weights of the last step are kept",
            sheet,
        )


def _labelled_regions(slide: LabelledSlide, legend: Legend) -> Iterator[LabelledRegion]:
    detect = open_folder(slide.detect)
    pyramid, tissue = open_pyramid(slide.tile), open_mask(detect)
    reference = open_reference(
        slide.labels,
        legend=legend,
        slide=pyramid.size,
        bounds_l0=read_results(slide.tile, TileResults).bounds_l0,
        downsample=pyramid.frame.downsample,
        roi=slide.roi,
        tissue=tissue,
    )
    for region in read_regions(detect.file(REGIONS_NAME)):
        yield LabelledRegion(slide.slide, pyramid, reference, region, tissue)
