"""Folders as the stages before assess leave them, written by the real writers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from stage_results import detect_results, segment_results, tile_results

from lds_path.classes import LabelClass
from lds_path.formats.predictions import (
    PREDICTIONS_NAME,
    Prediction,
    PredictionWriter,
    encode_grid,
    encode_probability,
)
from lds_path.formats.pyramid import PYRAMID_NAME, open_pyramid
from lds_path.formats.pyramid_writer import write_pyramid
from lds_path.formats.regions import REGIONS_NAME, write_regions
from lds_path.formats.spread import DISTANCES_NAME, write_distances
from lds_path.geometry import Frame, Region, Size, tile_starts
from lds_path.models.card import find_model, model_files
from lds_path.options.labels import StitchOptions
from lds_path.provenance.fingerprint import note_input
from lds_path.provenance.stage_run import run_stage
from lds_path.stages.plan import plan
from lds_path.stages.stitch import stitch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.provenance.stage_folder import StageInputs, StageResults

CLASSES = (LabelClass(1, "Stroma", (86, 180, 233)), LabelClass(2, "Tumor", (213, 94, 0)))
MPP = 0.5
MASK_DOWNSAMPLE = 16
REGION, OVERLAP, LATTICE = 512, 64, 32


@dataclass(frozen=True)
class Folders:
    """The arguments of assess."""

    tile: Path
    detect: Path
    segment: list[Path]
    stitch: Path


def make_folders(
    root: Path,
    slide: str,
    rgb: NDArray[np.uint8],
    tissue: NDArray[np.bool_],
    labels: NDArray[np.uint8],
    *,
    confidence: float | NDArray[np.floating] = 0.9,
    zoom: float = 1.0,
    disagree: bool = False,
    tile: dict[str, Any] | None = None,
    segment: dict[str, Any] | None = None,
    detect: dict[str, Any] | None = None,
    maps: bool = False,
    file: Path | None = None,
    distances: float | None = None,
) -> Folders:
    """Write the folders of a slide below `root/<stage>/<slide>`.

    `tissue` has one pixel for 16 x 16 of the slide. `tile` and `segment` replace results of these
    stages, `detect` are its parameters. `file` is the slide that tile read; `confidence` may have a value for each pixel of it.
    With `distances` all patches lie as far from what the model learned from.
    With `maps` stitch also writes confidence and density for QuPath. With `disagree` every second region takes one class for the other.
    """
    size = Size(rgb.shape[1], rgb.shape[0])
    regions = _regions(size)
    folders = Folders(
        tile=root / "tile" / slide,
        detect=root / "detect" / slide,
        segment=[root / "segment" / slide / f"{shard}-of-2" for shard in (1, 2)],
        stitch=root / "stitch" / slide,
    )
    _write_tile(folders.tile, rgb, tile or {}, file)
    _write_detect(folders, tissue, regions, detect or {})
    plan(folders.tile, folders.detect, root / "plan" / slide, model="demo")
    for number, folder in enumerate(folders.segment):
        shard = regions[number::2]
        shown = np.where(labels > 0, 3 - labels, 0) if disagree and number else labels
        with_changes = (confidence, zoom, segment or {}, distances)
        _write_segment(folders, folder, shard, shown.astype(np.uint8), *with_changes)
    inputs = (folders.tile, folders.detect, folders.segment)
    options = StitchOptions(mpp="working", confidence=maps, density=maps)
    stitch(*inputs, folders.stitch, options=options)
    return folders


def _regions(size: Size) -> list[Region]:
    starts = [
        (left, top)
        for top in tile_starts(size.height, REGION, OVERLAP)
        for left in tile_starts(size.width, REGION, OVERLAP)
    ]
    return [
        Region(index, left, top, Size(REGION, REGION), Size(LATTICE, LATTICE))
        for index, (left, top) in enumerate(starts)
    ]


def _write_tile(
    output: Path, rgb: NDArray[np.uint8], changes: dict[str, Any], file: Path | None
) -> None:
    size = Size(rgb.shape[1], rgb.shape[0])

    def work(folder: Path, _: StageInputs) -> StageResults:
        def read_block(left: int, top: int, block: Size) -> NDArray[np.uint8]:
            part = rgb[top : top + block.height, left : left + block.width]
            return np.ascontiguousarray(part.transpose(2, 0, 1))

        corner = {key: changes[key] for key in ("left_l0", "top_l0") if key in changes}
        frame = Frame(MPP, 1.0, **corner)
        write_pyramid(folder / PYRAMID_NAME, read_block, size, frame, background=243)
        return tile_results(size, mpp=MPP, **{"file": "slide & co.tif"} | changes)

    inputs = {} if file is None else {"slide": file}
    run_stage("tile", output, work, inputs=inputs, parameters={"mpp": MPP}, slide=output.name)


def _write_detect(
    folders: Folders, tissue: NDArray[np.bool_], regions: Sequence[Region], changes: dict[str, Any]
) -> None:
    def work(folder: Path, _: StageInputs) -> StageResults:
        Image.fromarray(tissue.astype(np.uint8) * 255).save(folder / "tissue.png")
        frame = open_pyramid(folders.tile).frame
        write_regions(folder / REGIONS_NAME, regions, [1.0] * len(regions), frame)
        tissue_mm2 = float(tissue.sum()) * (MASK_DOWNSAMPLE * MPP / 1000) ** 2
        return detect_results(float(MASK_DOWNSAMPLE), regions=len(regions), tissue_mm2=tissue_mm2)

    parameters = {"overlap": OVERLAP} | changes
    run_stage("detect", folders.detect, work, inputs={"tile": folders.tile}, parameters=parameters)


def _write_segment(
    folders: Folders,
    output: Path,
    regions: Sequence[Region],
    labels: NDArray[np.uint8],
    confidence: float | NDArray[np.floating],
    zoom: float,
    changes: dict[str, Any],
    distances: float | None,
) -> None:
    def work(folder: Path, _: StageInputs) -> StageResults:
        with PredictionWriter(folder / PREDICTIONS_NAME) as writer:
            for region in regions:
                writer.write(_predict(region, labels, confidence, zoom))
        if distances is not None:
            found = {region.index: np.full(16, distances) for region in regions}
            write_distances(folder / DISTANCES_NAME, found)
        return replace(segment_results(CLASSES, regions=len(regions)), **changes)

    model = find_model("demo")
    inputs = {"tile": folders.tile, "detect": folders.detect}
    inputs |= {"model": note_input(model, model_files(model))}
    run_stage("segment", output, work, inputs=inputs, parameters={"batch_size": 4})


def _predict(
    region: Region,
    labels: NDArray[np.uint8],
    confidence: float | NDArray[np.floating],
    zoom: float,
) -> Prediction:
    centres = (np.arange(LATTICE) + 0.5) / LATTICE * 2 - 1
    axis = np.sign(centres) * np.abs(centres) ** zoom  # above 1: denser in the middle
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    x = region.left + ((axis + 1) / 2 * region.size.width).astype(int)
    y = region.top + ((axis + 1) / 2 * region.size.height).astype(int)
    x, y = np.minimum(x, labels.shape[1] - 1), np.minimum(y, labels.shape[0] - 1)
    if not isinstance(confidence, float):
        confidence = confidence[y[:, None], x]
    other = (1 - confidence) / (len(CLASSES) - 1)
    found = np.stack([labels[y[:, None], x] == item.value for item in CLASSES])
    return Prediction(
        region=region,
        probability=encode_probability(np.where(found, confidence, other)),
        grid=encode_grid(grid),
        density=np.ones((8, 8), np.float16),
    )
