"""evaluate: the label image of a slide scored against reference labels."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from lds_path.errors import LabelsError
from lds_path.formats.annotations import read_polygons
from lds_path.formats.labels import label_blocks, open_labels
from lds_path.formats.manifest import read_manifest, run_stage
from lds_path.formats.reference import IGNORE, LabelPolygons, open_reference
from lds_path.geometry import Size
from lds_path.scores import count_confusion, dice, iou

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass
    from lds_path.formats.labels import Block, Labels
    from lds_path.formats.manifest import Manifest
    from lds_path.formats.reference import Reference

SCORES_NAME = "scores.tsv"
CONFUSION_NAME = "confusion.tsv"
BACKGROUND = "background"
BLOCK = 2048


def evaluate(
    tile: Path,
    stitch: Path,
    labels: Path,
    output: Path,
    *,
    roi: Path | None = None,
    strict: bool = False,
) -> Manifest:
    """Score a label image at the working resolution, block by block.

    Where the reference is 0 it says background: a class predicted there is wrong. Reference
    pixels of value 255 are not scored, nor is anything outside the region of interest.

    Parameters
    ----------
    tile, stitch
        Folders of these stages.
    labels
        Reference labels: GeoJSON of QuPath, or a label image of the slide's size.
    output
        Folder to write: `scores.tsv` with Dice and IoU of each class, and `confusion.tsv`.
    roi
        GeoJSON of the areas that were annotated; the whole slide when not given.
    strict
        Raise instead of putting the slide in quarantine.
    """

    def work(folder: Path) -> Mapping[str, Any]:
        manifest = read_manifest(tile)
        with open_labels(stitch / f"{manifest.slide}.labels.ome.tif") as predicted:
            annotation = _open_annotation(labels, roi, manifest.results, predicted.classes)
            counts = _count(annotation, predicted, manifest.results)
            scores = _score(counts, predicted.classes, manifest.results["mpp"])
        _write_scores(folder / SCORES_NAME, manifest.slide, scores)
        _write_confusion(folder / CONFUSION_NAME, counts, [each.name for each in scores])
        return _results(scores, counts, manifest.results["mpp"])

    return run_stage(
        "evaluate",
        output,
        work,
        inputs={"tile": tile, "stitch": stitch, "labels": labels}
        | ({"roi": roi} if roi is not None else {}),
        parameters={},
        strict=strict,
    )


@dataclass(frozen=True)
class _Score:
    """How well one class was found."""

    name: str
    dice: float | None
    """None where neither the reference nor the label image has the class."""
    iou: float | None
    reference_mm2: float
    predicted_mm2: float


@dataclass(frozen=True)
class _Annotation:
    """What is known of a slide, in working pixels."""

    path: Path
    reference: Reference
    roi: Reference | None
    values: Sequence[int]

    def read(self, place: Block) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Return the number of each pixel's class, from 1, and which pixels are scored."""
        values = self.reference.read(place.left, place.top, place.size)
        scored = values != IGNORE
        if self.roi is not None:
            scored &= self.roi.read(place.left, place.top, place.size) > 0
        numbers = _numbers(self.values)[values]
        unknown = scored & (numbers == IGNORE)
        if unknown.any():
            known = ", ".join(str(value) for value in self.values)
            raise LabelsError(
                f"{self.path} has the value {values[unknown][0]}, but the classes of the model"
                f" have {known}; use these, 0 for background and {IGNORE} for what is not known"
            )
        return numbers, scored


def _open_annotation(
    labels: Path, roi: Path | None, tile: Mapping[str, Any], classes: Sequence[LabelClass]
) -> _Annotation:
    names = {each.value: each.name for each in classes}
    reference = open_reference(
        labels,
        classes=[names.get(value, "") for value in range(1, max(names) + 1)],
        slide=Size(tile["width"], tile["height"]),
        bounds_l0=Size(tile["width_l0"], tile["height_l0"]),
        downsample=tile["downsample"],
    )
    area = None
    if roi is not None:
        areas = tuple(area for _, area in read_polygons(roi))
        area = LabelPolygons(areas, (1,) * len(areas), tile["downsample"])
    return _Annotation(labels, reference, area, list(names))


def _count(
    annotation: _Annotation, predicted: Labels, tile: Mapping[str, Any]
) -> NDArray[np.int64]:
    """Return the confusion of the whole slide."""
    numbers = _numbers(annotation.values)
    counts = np.zeros((len(annotation.values) + 1,) * 2, np.int64)
    places = label_blocks(Size(tile["width"], tile["height"]), BLOCK)
    for place in tqdm(places, unit="block", desc="evaluate", disable=None):
        reference, scored = annotation.read(place)
        if scored.any():
            found = numbers[_read_working(predicted, place, tile["mpp"])]
            counts += count_confusion(reference[scored], found[scored], len(annotation.values))
    if not counts.any():
        raise LabelsError(
            f"{annotation.path} and the region of interest leave no pixel to score; check that"
            " they belong to this slide"
        )
    return counts


def _read_working(labels: Labels, place: Block, mpp: float) -> NDArray[np.uint8]:
    """Return the labels at the centres of a block's working pixels."""
    scale = labels.mpp / mpp
    columns, rows = (
        np.floor((start + np.arange(length) + 0.5) / scale + 1e-9).astype(np.intp)
        for start, length in ((place.left, place.size.width), (place.top, place.size.height))
    )
    left, top = int(columns[0]), int(rows[0])
    window = labels.read(0, left, top, Size(int(columns[-1]) - left + 1, int(rows[-1]) - top + 1))
    return window[np.ix_(rows - top, columns - left)]


def _numbers(values: Sequence[int]) -> NDArray[np.uint8]:
    """Return the table from label value to number of the class, from 1; 255 if unknown."""
    numbers = np.full(256, IGNORE, np.uint8)
    numbers[0] = 0
    numbers[list(values)] = np.arange(1, len(values) + 1)
    return numbers


def _score(counts: NDArray[np.int64], classes: Iterable[LabelClass], mpp: float) -> list[_Score]:
    pixel_mm2 = (mpp / 1000) ** 2
    drawn, found = counts.sum(axis=1).tolist()[1:], counts.sum(axis=0).tolist()[1:]
    columns = zip(classes, dice(counts), iou(counts), drawn, found, strict=True)
    return [
        _Score(each.name, overlap, ratio, reference * pixel_mm2, predicted * pixel_mm2)
        for each, overlap, ratio, reference, predicted in columns
    ]


def _write_scores(path: Path, slide: str, scores: Sequence[_Score]) -> None:
    rows = [
        [
            slide,
            each.name,
            *map(_cell, (each.dice, each.iou, each.reference_mm2, each.predicted_mm2)),
        ]
        for each in scores
    ]
    _write_table(path, ["slide", "class", "dice", "iou", "reference_mm2", "predicted_mm2"], rows)


def _write_confusion(path: Path, counts: NDArray[np.int64], names: Sequence[str]) -> None:
    """Write the counts of pixels: a row for each reference class, a column for each predicted."""
    header = [BACKGROUND, *names]
    rows = [[name, *map(str, row)] for name, row in zip(header, counts.tolist(), strict=True)]
    _write_table(path, ["reference", *header], rows)


def _write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"


def _results(scores: Sequence[_Score], counts: NDArray[np.int64], mpp: float) -> dict[str, Any]:
    results: dict[str, Any] = {
        field: {each.name: getattr(each, field) for each in scores}
        for field in ("dice", "iou", "reference_mm2", "predicted_mm2")
    }
    return results | {"scored_mm2": float(counts.sum()) * (mpp / 1000) ** 2}
