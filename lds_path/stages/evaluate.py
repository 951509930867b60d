"""evaluate: the label image of a slide scored against reference labels."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

from lds_path.errors import LabelsError
from lds_path.formats.labels.label_images import label_blocks, open_labels
from lds_path.formats.mask import open_mask
from lds_path.formats.predictions import PREDICTIONS_NAME, Predictions
from lds_path.formats.results import DetectParameters, EvaluateResults, Remark, TileResults
from lds_path.geometry import Size
from lds_path.option import as_parameters
from lds_path.options.quality import EvaluateOptions
from lds_path.provenance.stage_folder import name_shards
from lds_path.provenance.stage_run import run_stage
from lds_path.quality.metrics.metric import format_metric, format_number
from lds_path.reference.annotation import Annotation
from lds_path.reference.legend import IGNORE, Legend, recode
from lds_path.reference.reference import open_reference
from lds_path.reference.score_table import (
    CONFUSION_NAME,
    PICTURE_NAME,
    SCORES_NAME,
    draw_confusion,
    write_confusion,
    write_scores,
)
from lds_path.reference.scores import (
    count_boundary,
    count_confusion,
    empty_confusion,
    near_boundary,
    overlap_of,
    score_columns,
)
from lds_path.unwarp.canvas import canvas_of
from lds_path.unwarp.mesh import build_mesh
from lds_path.unwarp.mosaic import Mosaic
from lds_path.unwarp.round_trip import lattice_labels, lattice_shares

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass
    from lds_path.formats.labels.label_images import Labels
    from lds_path.formats.mask import Mask
    from lds_path.geometry import Rectangle
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageInputs
    from lds_path.reference.scores import Overlap
    from lds_path.unwarp.mesh import Mesh

BLOCK = 2048


def evaluate(
    tile: Path,
    detect: Path,
    segment: list[Path],
    stitch: Path,
    labels: Path,
    output: Path,
    *,
    roi: Path | None = None,
    options: EvaluateOptions = EvaluateOptions(),
    strict: bool = False,
) -> Manifest:
    """Score a label image at the working resolution, block by block.

    Two more scores do not compare with those of other methods: the round trip, in which the
    reference labels themselves are mapped to the lattice and back, which is the best that a
    network could reach with these sampling grids; and the lattice's, where each sample counts
    once, at the position where the network saw it.

    Parameters
    ----------
    tile, detect, stitch
        Folders of these stages.
    segment
        Folders of all shards.
    labels
        Reference labels: GeoJSON of QuPath, or a label image of the slide's size.
    output
        Folder to write: `scores.tsv`, `confusion.tsv` and `confusion.png`.
    roi
        GeoJSON of the areas that were annotated; the whole slide when not given. Nothing outside
        is scored.
    options
        See `EvaluateOptions`. Where the reference says background, a class predicted there is
        wrong.
    strict
        Raise instead of putting the slide in quarantine.
    """
    inputs = {
        "tile": tile,
        "detect": detect,
        **name_shards("segment", segment),
        "stitch": stitch,
        "labels": labels,
    }
    return run_stage(
        "evaluate",
        output,
        partial(_evaluate, labels=labels, roi=roi, options=options),
        inputs=inputs | ({"roi": roi} if roi is not None else {}),
        parameters=as_parameters(options),
        strict=strict,
    )


def _evaluate(
    folder: Path,
    inputs: StageInputs,
    *,
    labels: Path,
    roi: Path | None,
    options: EvaluateOptions,
) -> EvaluateResults:
    """Write the tables of scores and the picture."""
    tile, segment = inputs["tile"].read(TileResults), inputs.shards("segment")
    with (
        open_labels(inputs["stitch"]) as predicted,
        Predictions([shard.path / PREDICTIONS_NAME for shard in segment]) as predictions,
    ):
        legend = Legend(_class_names(predicted.classes), **as_parameters(options.labels))
        tissue = open_mask(inputs["detect"])
        reference = open_reference(
            labels,
            legend=legend,
            slide=tile.size,
            bounds_l0=tile.bounds_l0,
            downsample=tile.downsample,
            roi=roi,
            tissue=tissue,
        )
        annotation = Annotation(labels, reference, predicted.classes)
        overlap = inputs["detect"].read(DetectParameters).overlap
        mosaic = _open_mosaic(annotation, predictions, tissue, tile, overlap)
        band = max(1, round(options.boundary_um / tile.mpp))
        tally = _score_pixels(annotation, predicted, mosaic, tile, band)
        lattice = overlap_of(_score_samples(annotation, predictions))
    results = _write_scores(folder, inputs.slide, annotation.classes, tally, lattice, tile.mpp)
    limits = options.warn_dice, options.fail_dice
    remarks = tuple(_judge(results, *limits))
    return replace(results, remarks=remarks, empty_objects=reference.empty_objects)


def _judge(results: EvaluateResults, warn: float, fail: float) -> Iterator[Remark]:
    """Yield the classes of the reference labels that were recognised badly."""
    areas = results.reference_mm2 or {}
    for name, dice in results.dice.items():
        if dice is not None and areas.get(name) and dice < warn:
            limit = fail if dice < fail else warn
            text = (
                f"Dice of {name} is {format_metric(dice, '0 to 1')} (limit {format_number(limit)})"
            )
            yield Remark("fail" if dice < fail else "warn", text)


def _class_names(classes: Sequence[LabelClass]) -> tuple[str, ...]:
    """Return the name of each value from 1; empty where there is no such class."""
    names = {item.value: item.name for item in classes}
    return tuple(names.get(value, "") for value in range(1, max(names) + 1))


def _write_scores(
    folder: Path,
    slide: str,
    label_classes: Sequence[LabelClass],
    tally: _Tally,
    lattice: Overlap,
    mpp: float,
) -> EvaluateResults:
    """Write the tables and the picture; return the results for the manifest."""
    classes = [item.name for item in label_classes]
    pixels, round_trip = overlap_of(tally.confusion), overlap_of(tally.round_trip)
    columns = score_columns(pixels, tally.boundary, round_trip, lattice, mpp)
    write_scores(folder / SCORES_NAME, slide, classes, columns)
    write_confusion(folder / CONFUSION_NAME, tally.confusion, classes)
    draw_confusion(folder / PICTURE_NAME, tally.confusion, classes)
    scored_mm2 = float(tally.confusion.sum()) * (mpp / 1000) ** 2
    scores: dict[str, Any] = {name: _by_class(classes, values) for name, values in columns.items()}
    return EvaluateResults(**scores, scored_mm2=scored_mm2)


def _by_class(classes: Sequence[str], values: Sequence[float]) -> dict[str, Any]:
    """Return class -> score, with None for NaN."""
    scores = zip(classes, values, strict=True)
    return {name: None if math.isnan(value) else value for name, value in scores}


@dataclass
class _Tally:
    """Counts over the pixels of a slide."""

    confusion: NDArray[np.int64]
    round_trip: NDArray[np.int64]
    """The confusion that a perfect network would leave."""
    boundary: Overlap


def _open_mosaic(
    annotation: Annotation,
    predictions: Predictions,
    tissue: Mask,
    tile: TileResults,
    overlap: int,
) -> Mosaic:
    """Return the mosaic of the reference labels, mapped to the lattices and back."""
    count = len(annotation.classes) + 1

    def read_mesh(index: int) -> Mesh:
        prediction = predictions.read(index)
        reference = annotation.read(prediction.region.rectangle)
        shares = lattice_shares(reference, prediction.positions, count)
        return build_mesh(shares, prediction.positions, prediction.region.size)

    canvas, values = canvas_of(tile.size, tile.frame), range(count)
    regions = predictions.regions
    return Mosaic(canvas, regions, read_mesh, tissue, values=values, overlap=overlap)


def _score_pixels(
    annotation: Annotation, predicted: Labels, mosaic: Mosaic, tile: TileResults, band: int
) -> _Tally:
    """Return the counts of the whole slide."""
    size, count = tile.size, len(annotation.classes)
    empty = empty_confusion(count)
    tally = _Tally(empty.copy(), empty.copy(), overlap_of(empty))
    for block in tqdm(label_blocks(size, BLOCK), unit="block", desc="evaluate", disable=None):
        wide = block.grown(band).clipped(size)
        reference = annotation.read(wide)
        inner = block.seen_from(wide.left, wide.top).slices
        scored = reference != IGNORE
        if not scored[inner].any():
            continue
        prediction = recode(_read_working(predicted, wide, tile.mpp), annotation.numbers)
        bands = (
            near_boundary(reference, scored, band)[inner],
            near_boundary(prediction, scored, band)[inner],
        )
        reference, prediction, scored = reference[inner], prediction[inner], scored[inner]
        tally.confusion += count_confusion(reference[scored], prediction[scored], count)
        tally.boundary += count_boundary(reference, prediction, bands, count)
        round_trip = mosaic.paint(block.left, block.top, block.size).labels
        tally.round_trip += count_confusion(reference[scored], round_trip[scored], count)
    if not tally.confusion.any():
        raise LabelsError(
            f"{annotation.path} and the region of interest leave no pixel to score; check that"
            " they belong to this slide"
        )
    return tally


def _score_samples(annotation: Annotation, predictions: Predictions) -> NDArray[np.int64]:
    """Return the confusion of the lattices' samples that lie on a labelled class."""
    count = len(annotation.classes)
    confusion = empty_confusion(count)
    for region in tqdm(predictions.regions, unit="region", desc="lattices", disable=None):
        reference = annotation.read(region.rectangle)
        if ((reference == 0) | (reference == IGNORE)).all():
            continue
        prediction = predictions.read(region.index)
        samples = lattice_labels(reference, prediction.positions)
        labelled = (samples != 0) & (samples != IGNORE)
        predicted = prediction.probability.argmax(axis=0).astype(np.uint8) + np.uint8(1)
        confusion += count_confusion(samples[labelled], predicted[labelled], count)
    return confusion


def _read_working(labels: Labels, block: Rectangle, mpp: float) -> NDArray[np.uint8]:
    """Return the labels at the centres of a block's working pixels."""
    scale = labels.mpp / mpp
    columns, rows = (
        np.floor((start + np.arange(length) + 0.5) / scale + 1e-9).astype(np.intp)
        for start, length in ((block.left, block.size.width), (block.top, block.size.height))
    )
    left, top = int(columns[0]), int(rows[0])
    window = labels.read(0, left, top, Size(int(columns[-1]) - left + 1, int(rows[-1]) - top + 1))
    return window[np.ix_(rows - top, columns - left)]
