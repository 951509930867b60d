"""stitch: the predictions of a slide's regions become one label image."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from lds_path.classes import LabelClass
from lds_path.errors import StageInputError
from lds_path.formats.grey_image import write_grey
from lds_path.formats.label_zarr import write_label_zarr
from lds_path.formats.labels import label_blocks, open_labels, write_labels
from lds_path.formats.mask import open_mask
from lds_path.formats.predictions import PREDICTIONS_NAME, Predictions
from lds_path.formats.pyramid import PYRAMID_NAME
from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.option import as_parameters
from lds_path.options.labels import StitchOptions
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.stage_run import run_stage
from lds_path.quality.sample_density import DENSITY_SCALE, read_density
from lds_path.read_ahead import read_ahead
from lds_path.unwarp.mesh import build_mesh
from lds_path.unwarp.mosaic import Mosaic, canvas_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.geometry import Rectangle, Region
    from lds_path.provenance.manifest import Manifest
    from lds_path.unwarp.mesh import Mesh
    from lds_path.unwarp.mosaic import Canvas, Painted

CONFIDENCE_NAME = "confidence.png"
MEANINGS = {
    "confidence": "Mean probability of the label times 255. 0 was not analysed.",
    "density": DENSITY_SCALE,
}
"""What the values of the images say, for whoever opens them."""


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
    Memory is bound by the threads, apart from the masks at about 8 microns per pixel.

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
        Blocks worked on at the same time; the result does not depend on them.
    strict
        Raise instead of putting the slide in quarantine.
    """

    def work(folder: Path) -> Mapping[str, Any]:
        manifest = read_manifest(tile)
        canvas = canvas_of(manifest.results, options.mpp)
        classes = _read_classes(segment)
        tally = _Tally(canvas, classes)
        with Predictions([shard / PREDICTIONS_NAME for shard in segment]) as predictions:
            mosaic = _open_mosaic(detect, predictions, canvas, classes)
            places = label_blocks(canvas.size)
            painted = read_ahead(
                lambda place: _paint(mosaic, place), places, threads=threads, ahead=2 * threads
            )
            path = folder / f"{manifest.slide}.labels.ome.tif"
            write_labels(
                path,
                tally.watch(painted),
                canvas.size,
                mpp=canvas.frame.mpp,
                classes=classes,
                threads=threads,
            )
            maps = {"confidence": tally.confidence} if options.confidence else {}
            if options.density:
                maps["density"] = _find_density(predictions, canvas)
        Image.fromarray(tally.confidence).save(folder / CONFIDENCE_NAME)
        for channel, pixels in maps.items():
            write_grey(
                folder / f"{manifest.slide}.{channel}.ome.tif",
                pixels,
                mpp=canvas.frame.mpp * canvas.confidence_step,
                channel=channel,
                meaning=MEANINGS[channel],
            )
        if options.zarr is not None:
            store = folder / f"{manifest.slide}.labels.ome.zarr"
            with open_labels(path) as labels:
                write_label_zarr(store, labels, pyramid=tile / PYRAMID_NAME, version=options.zarr)
        return tally.results() | {"maps": _describe_maps(maps, len(classes))}

    shards = {f"segment_{index}": path for index, path in enumerate(segment, start=1)}
    return run_stage(
        "stitch",
        output,
        work,
        inputs={"tile": tile, "detect": detect, **shards},
        parameters=as_parameters(options),
        strict=strict,
    )


class _Tally:
    """What is gathered while the blocks pass on their way to the file."""

    def __init__(self, canvas: Canvas, classes: Sequence[LabelClass]) -> None:
        self._canvas, self._classes = canvas, classes
        self._pixels = np.zeros(256, np.int64)
        self._confidence_sum = np.zeros(256)
        step = canvas.confidence_step
        size = canvas.size.ceil_div(step)
        self.confidence = np.zeros((size.height, size.width), np.uint8)
        """Mean winning probability of the analysed pixels, 255 is 1; 0 where there are none."""

    def watch(self, painted: Iterable[tuple[Rectangle, Painted]]) -> Iterator[NDArray[np.uint8]]:
        """Yield the blocks' labels."""
        step = self._canvas.confidence_step
        total = len(label_blocks(self._canvas.size))
        for place, block in tqdm(painted, unit="block", desc="stitch", total=total, disable=None):
            self._pixels += block.pixels
            self._confidence_sum += block.confidence_sum
            self.confidence[place.reduced(step).slices] = block.confidence
            yield block.labels

    def results(self) -> dict[str, Any]:
        """Return the results of the stage."""
        pixels = {each.name: int(self._pixels[each.value]) for each in self._classes}
        confidence = {
            each.name: round(self._confidence_sum[each.value] / self._pixels[each.value] / 255, 4)
            for each in self._classes
            if self._pixels[each.value]
        }
        return {
            "classes": [
                {"value": each.value, "name": each.name, "color": list(each.color)}
                for each in self._classes
            ],
            "pixels": pixels,
            "mean_confidence": confidence,
            "width": self._canvas.size.width,
            "height": self._canvas.size.height,
            "mpp": self._canvas.frame.mpp,
            "scale": self._canvas.scale,
            "downsample": self._canvas.frame.downsample,
            "left_l0": self._canvas.frame.left_l0,
            "top_l0": self._canvas.frame.top_l0,
            "confidence_downsample": self._canvas.confidence_step,
        }


def _find_density(predictions: Predictions, canvas: Canvas) -> NDArray[np.uint8]:
    step = canvas.confidence_step
    size = canvas.size.ceil_div(step)
    working_mpp = canvas.frame.mpp / canvas.scale
    return read_density(predictions, size, scale=canvas.scale * step, mpp=working_mpp)


def _describe_maps(
    maps: Mapping[str, NDArray[np.uint8]], class_count: int
) -> dict[str, dict[str, Any]]:
    """Return what the values of the images mean, and the range that a viewer best shows."""
    ranges = {"confidence": [round(255 / max(class_count, 2)), 255]}  # no winner has less
    if "density" in maps:
        known = maps["density"][maps["density"] > 0]
        low, high = np.percentile(known, (1, 99)).tolist() if known.size else (1, 255)
        ranges["density"] = [math.floor(low), math.ceil(high)]
    return {name: {"range": ranges[name], "meaning": MEANINGS[name]} for name in maps}


def _open_mosaic(
    detect: Path, predictions: Predictions, canvas: Canvas, classes: Sequence[LabelClass]
) -> Mosaic:
    asked, found = read_regions(detect / REGIONS_NAME), predictions.regions
    if list(map(_place, asked)) != list(map(_place, found)):
        missing = {region.index for region in asked} - {region.index for region in found}
        problem = f"lack region {min(missing)}" if missing else "have other regions"
        raise StageInputError(
            f"the predictions {problem} of {detect / REGIONS_NAME};"
            " run segment for every shard of the slide and name all of them"
        )
    manifest = read_manifest(detect)

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
        found,
        read_mesh,
        open_mask(detect, manifest.results["mask_downsample"]),
        values=[each.value for each in classes],
        overlap=manifest.parameters["overlap"],
    )


def _place(region: Region) -> Region:
    """Return a region without its lattice, which is the business of plan and segment."""
    return replace(region, lattice=region.size)


def _paint(mosaic: Mosaic, place: Rectangle) -> tuple[Rectangle, Painted]:
    return place, mosaic.paint(place.left, place.top, place.size)


def _read_classes(segment: Sequence[Path]) -> list[LabelClass]:
    """Return the classes, which all shards have in common, in the order of the probabilities."""
    found = [read_manifest(folder).results["classes"] for folder in segment]
    other = next((place for place, classes in enumerate(found) if classes != found[0]), None)
    if other is not None:
        raise StageInputError(
            f"{segment[other]} has other classes than {segment[0]}:"
            " the shards were made with different models; run segment again for all of them"
        )
    return [LabelClass(each["value"], each["name"], tuple(each["color"])) for each in found[0]]
