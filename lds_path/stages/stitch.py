"""stitch: the predictions of a slide's regions become one label image."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from tqdm import tqdm

from lds_path.errors import StageInputError
from lds_path.formats.grey_image import CONFIDENCE_NAME, write_grey
from lds_path.formats.labels.label_images import Labels, label_blocks, name_labels, write_labels
from lds_path.formats.mask import open_mask
from lds_path.formats.predictions import PREDICTIONS_NAME, Predictions
from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.formats.results import (
    DetectParameters,
    SegmentResults,
    StitchResults,
    TileResults,
    ValueRange,
)
from lds_path.option import as_parameters
from lds_path.options.labels import StitchOptions, parse_label_mpp
from lds_path.provenance.stage_folder import name_shards
from lds_path.provenance.stage_run import run_stage
from lds_path.quality.sample_density import DENSITY_SCALE, read_density
from lds_path.read_ahead import read_ahead
from lds_path.unwarp.canvas import canvas_of, label_mpp
from lds_path.unwarp.mesh import build_mesh
from lds_path.unwarp.mosaic import Mosaic

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass
    from lds_path.geometry import Rectangle, Region
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageFolder, StageInputs
    from lds_path.unwarp.canvas import Canvas
    from lds_path.unwarp.mesh import Mesh
    from lds_path.unwarp.mosaic import Painted

MEANINGS = {
    "confidence": "Mean probability of the label times 255. 0 was not analysed.",
    "density": DENSITY_SCALE,
}
"""Meaning of the values of the images, for people who open them."""


def stitch(
    tile: Path,
    detect: Path,
    segment: list[Path],
    output: Path,
    *,
    options: StitchOptions = StitchOptions(),
    threads: int = 1,
    strict: bool = False,
) -> Manifest:
    """Write the label image of a slide, 0 outside the tissue, and an image of its confidence.

    The probabilities of overlapping regions are blended before the likeliest class is taken.
    Memory depends on the threads, not on the slide, apart from masks at about 8 microns per pixel.

    Parameters
    ----------
    tile, detect
        Folders of these stages.
    segment
        Folders of all shards.
    output
        Folder to write.
    options
        See `StitchOptions`.
    threads
        Blocks painted at the same time; the result does not depend on them.
    strict
        Raise instead of putting the slide in quarantine.
    """
    return run_stage(
        "stitch",
        output,
        partial(_stitch, options=options, threads=threads),
        inputs={"tile": tile, "detect": detect, **name_shards("segment", segment)},
        parameters=as_parameters(options),
        strict=strict,
    )


def open_mosaic(
    detect: StageFolder, predictions: Predictions, canvas: Canvas, classes: Sequence[LabelClass]
) -> Mosaic:
    """Return the regions of a slide, ready to be painted.

    Parameters
    ----------
    detect
        Folder of this stage.
    predictions
        Of all shards; they are read when they are needed.
    canvas
        Pixels to paint.
    classes
        In the order of the probabilities.

    Raises
    ------
    StageInputError
        If the predictions are not those of the regions in the table of detect.
    """
    table = detect.file(REGIONS_NAME)
    expected, predicted = read_regions(table), predictions.regions
    if list(map(_without_lattice, expected)) != list(map(_without_lattice, predicted)):
        missing = {region.index for region in expected} - {region.index for region in predicted}
        problem = f"lack region {min(missing)}" if missing else "have other regions"
        raise StageInputError(
            f"the predictions {problem} of {table};"
            " run segment for every shard of the slide and name all of them"
        )

    def read_mesh(index: int) -> Mesh:
        prediction = predictions.read(index)
        if len(prediction.probability) != len(classes):
            raise StageInputError(
                f"region {index} has {len(prediction.probability)} probabilities, but the manifest"
                f" of segment lists {len(classes)} classes; run segment again"
            )
        return build_mesh(prediction.probability, prediction.positions, prediction.region.size)

    return Mosaic(
        canvas,
        predicted,
        read_mesh,
        open_mask(detect),
        values=[item.value for item in classes],
        overlap=detect.read(DetectParameters).overlap,
    )


def read_classes(segment: Sequence[StageFolder]) -> tuple[LabelClass, ...]:
    """Return the classes, which all shards must share, in the order of the probabilities.

    Raises
    ------
    StageInputError
        If a shard has others.
    """
    by_shard = [shard.read(SegmentResults).classes for shard in segment]
    other = next((k for k, classes in enumerate(by_shard) if classes != by_shard[0]), None)
    if other is not None:
        raise StageInputError(
            f"{segment[other].path} has other classes than {segment[0].path}:"
            " the shards were made with different models; run segment again for all of them"
        )
    return by_shard[0]


def _stitch(
    folder: Path, inputs: StageInputs, *, options: StitchOptions, threads: int
) -> StitchResults:
    """Write the label image, its confidence and the optional images."""
    tile, segment = inputs["tile"], inputs.shards("segment")
    pyramid = tile.read(TileResults)
    path = folder / name_labels(inputs.slide)
    with Predictions([shard.path / PREDICTIONS_NAME for shard in segment]) as predictions:
        mpp = label_mpp(parse_label_mpp(options.mpp), predictions.regions, pyramid.mpp)
        canvas = canvas_of(pyramid.size, pyramid.frame, mpp)
        tally = _Tally(canvas, read_classes(segment))
        mosaic = open_mosaic(inputs["detect"], predictions, canvas, tally.classes)
        _write_labels(path, mosaic, tally, threads)
        maps = {"confidence": tally.confidence} if options.confidence else {}
        maps |= {"density": _find_density(predictions, canvas)} if options.density else {}
    Image.fromarray(tally.confidence).save(folder / CONFIDENCE_NAME)
    for channel, pixels in maps.items():
        write_grey(
            folder / f"{inputs.slide}.{channel}.ome.tif",
            pixels,
            mpp=canvas.frame.mpp * canvas.confidence_step,
            channel=channel,
            meaning=MEANINGS[channel],
        )
    if options.zarr is not None:
        # zarr is imported only for those who ask for it.
        from lds_path.formats.labels.label_zarr import write_label_zarr
        from lds_path.formats.pyramid import PYRAMID_NAME

        store = folder / f"{inputs.slide}.labels.ome.zarr"
        with Labels(path) as labels:
            write_label_zarr(store, labels, pyramid=tile.path / PYRAMID_NAME, version=options.zarr)
    return tally.results(_describe_maps(maps, len(tally.classes)))


def _write_labels(path: Path, mosaic: Mosaic, tally: _Tally, threads: int) -> None:
    canvas = tally.canvas
    painted = read_ahead(
        lambda block: (block, mosaic.paint(block.left, block.top, block.size)),
        label_blocks(canvas.size),
        threads=threads,
        ahead=2 * threads,
    )
    write_labels(
        path,
        tally.watch(painted),
        canvas.size,
        mpp=canvas.frame.mpp,
        classes=tally.classes,
        threads=threads,
    )


class _Tally:
    """Counts of the blocks on their way to the file."""

    def __init__(self, canvas: Canvas, classes: Sequence[LabelClass]) -> None:
        self.canvas, self.classes = canvas, classes
        self._pixels = np.zeros(256, np.int64)
        self._confidence_sum = np.zeros(256)
        step = canvas.confidence_step
        size = canvas.size.ceil_div(step)
        self.confidence = np.zeros((size.height, size.width), np.uint8)
        """Mean winning probability of the analysed pixels, 255 is 1; 0 where there are none."""

    def watch(self, painted: Iterable[tuple[Rectangle, Painted]]) -> Iterator[NDArray[np.uint8]]:
        """Yield the blocks' labels."""
        step = self.canvas.confidence_step
        total = len(label_blocks(self.canvas.size))
        blocks = tqdm(painted, unit="block", desc="stitch", total=total, disable=None)
        for rectangle, block in blocks:
            self._pixels += block.pixels
            self._confidence_sum += block.confidence_sum
            self.confidence[rectangle.reduced(step).slices] = block.confidence
            yield block.labels

    def results(self, maps: Mapping[str, ValueRange]) -> StitchResults:
        """Return the results of the stage, with the optional images."""
        canvas, frame = self.canvas, self.canvas.frame
        return StitchResults(
            classes=tuple(self.classes),
            pixels={item.name: int(self._pixels[item.value]) for item in self.classes},
            mean_confidence={
                item.name: round(
                    self._confidence_sum[item.value] / self._pixels[item.value] / 255, 4
                )
                for item in self.classes
                if self._pixels[item.value]
            },
            width=canvas.size.width,
            height=canvas.size.height,
            mpp=frame.mpp,
            scale=canvas.scale,
            downsample=frame.downsample,
            left_l0=frame.left_l0,
            top_l0=frame.top_l0,
            confidence_downsample=canvas.confidence_step,
            maps=maps,
        )


def _find_density(predictions: Predictions, canvas: Canvas) -> NDArray[np.uint8]:
    step = canvas.confidence_step
    size = canvas.size.ceil_div(step)
    working_mpp = canvas.frame.mpp / canvas.scale
    return read_density(predictions, size, scale=canvas.scale * step, mpp=working_mpp)


def _describe_maps(
    maps: Mapping[str, NDArray[np.uint8]], class_count: int
) -> dict[str, ValueRange]:
    """Return what the values of the images mean, and the range that a viewer should show."""
    ranges = {"confidence": (round(255 / max(class_count, 2)), 255)}  # no winner has less
    if "density" in maps:
        known = maps["density"][maps["density"] > 0]
        low, high = np.percentile(known, (1, 99)).tolist() if known.size else (1, 255)
        ranges["density"] = (math.floor(low), math.ceil(high))
    return {name: ValueRange(ranges[name], MEANINGS[name]) for name in maps}


def _without_lattice(region: Region) -> Region:
    """Return a region without its lattice, which is chosen later, by plan."""
    return replace(region, lattice=region.size)
