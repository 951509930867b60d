"""export: the label image of a slide becomes objects for QuPath."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import shapely
from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from lds_path.errors import StageInputError, UsageError
from lds_path.formats.annotations import SlideObject, write_classes, write_geojson
from lds_path.formats.labels import open_labels
from lds_path.formats.manifest import read_manifest, run_stage
from lds_path.geometry import Size
from lds_path.polygons import rasterise, simplify, snap, trace_labels

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from shapely.geometry import MultiPolygon, Polygon

    from lds_path.formats.labels import Labels
    from lds_path.formats.manifest import Manifest

BLOCK = 4096
"""Label pixels per side that are traced at a time."""
OVERLAY_NAME = "show_overlay.groovy"
CLASSES_NAME = "classes.json"
CONFIDENCE_NAME = "confidence.png"


@dataclass(frozen=True)
class Style:
    """What becomes an object, and how exact its outline is."""

    tolerance_um: float
    min_object_um2: float
    max_hole_um2: float
    annotation_um2: float


@dataclass(frozen=True)
class Placement:
    """Where the label pixels lie in the coordinates that are written.

    Convention: (x, y), pixel areas; written = offset + label * downsample.
    """

    mpp: float
    """Microns per label pixel."""
    downsample: float
    """Level-0 pixels per label pixel."""
    offset: tuple[float, float]
    """Level-0 pixels."""


@dataclass(frozen=True)
class Confidence:
    """The coarse image of the probability of the class that won."""

    pixels: NDArray[np.uint8]
    """(H, W); 255 is 1, and 0 where nothing was analysed."""
    downsample: int
    """Label pixels per pixel."""

    def mean(self, polygon: Polygon) -> float | None:
        """Return the mean inside a polygon of label pixels; None where nothing was analysed."""
        height, width = self.pixels.shape
        left, top, right, bottom = (int(bound // self.downsample) for bound in polygon.bounds)
        size = Size(min(right + 1, width) - left, min(bottom + 1, height) - top)
        inside = rasterise([(1, polygon)], left, top, size, downsample=self.downsample) > 0
        values = self.pixels[top : top + size.height, left : left + size.width]
        if not inside.any():  # smaller than a pixel
            point = polygon.representative_point()
            row, column = int(point.y // self.downsample), int(point.x // self.downsample)
            values, inside = self.pixels[row : row + 1, column : column + 1], np.array([[True]])
        known = values[inside & (values > 0)]
        return float(known.mean()) / 255 if known.size else None


def export(
    stitch: Path,
    output: Path,
    *,
    tolerance_um: float = 1.0,
    min_object_um2: float = 200.0,
    max_hole_um2: float = 200.0,
    annotation_um2: float = 50_000.0,
    frame: Literal["bounds", "level0"] = "bounds",
    strict: bool = False,
) -> Manifest:
    """Write the objects of a slide, its classes, and the script that shows its label image.

    Parameters
    ----------
    stitch
        Folder of the stitch stage.
    output
        Folder to write.
    tolerance_um
        How far an outline may lie from the edge of the labels; 0 keeps every corner of a pixel.
    min_object_um2, max_hole_um2
        Smaller objects are left out, smaller holes are filled.
    annotation_um2
        Objects this large are annotations, smaller ones detections, of which QuPath shows many.
    frame
        Origin of the coordinates: `bounds`, where QuPath has it, or `level0`, the file's corner.
    strict
        Fail instead of putting the slide in quarantine.

    Returns
    -------
    Manifest
        With objects, vertices and area per class.

    Raises
    ------
    UsageError
        If a number is negative or the frame is unknown.
    """
    style = Style(tolerance_um, min_object_um2, max_hole_um2, annotation_um2)
    parameters: dict[str, Any] = {**vars(style), "frame": frame}
    _check(parameters)

    def work(folder: Path) -> Mapping[str, Any]:
        manifest = read_manifest(stitch)
        slide, found = manifest.slide, manifest.results
        corner = (float(found["left_l0"]), float(found["top_l0"]))
        offset = corner if frame == "level0" else (0.0, 0.0)
        place = Placement(found["mpp"], found["downsample"], offset)
        confidence = _read_confidence(stitch, found)
        with open_labels(stitch / f"{slide}.labels.ome.tif") as labels:
            tally = _Tally()
            objects = tally.watch(_find_objects(labels, style, place, confidence))
            write_geojson(folder / f"{slide}.geojson.gz", objects, slide=slide)
            write_classes(folder / CLASSES_NAME, {each.name: each.color for each in labels.classes})
            script = overlay_script(slide, labels, place.downsample)
            (folder / OVERLAY_NAME).write_text(script, encoding="utf-8", newline="\n")
            return tally.results([each.name for each in labels.classes])

    return run_stage(
        "export", output, work, inputs={"stitch": stitch}, parameters=parameters, strict=strict
    )


def overlay_script(slide: str, labels: Labels, downsample: float) -> str:
    """Return the QuPath script that shows a label image over its slide.

    Parameters
    ----------
    slide
        Id of the slide.
    labels
        Its label image.
    downsample
        Level-0 pixels per label pixel.
    """
    content = {
        "slide": slide,
        "labels": f"{slide}.labels.ome.tif",
        "downsample": downsample,
        "width_l0": round(labels.size.width * downsample),
        "height_l0": round(labels.size.height * downsample),
        "classes": [
            {"value": each.value, "name": each.name, "color": list(each.color)}
            for each in labels.classes
        ],
    }
    text = json.dumps(content, indent=1, ensure_ascii=False)
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")  # between ''' of Groovy
    template = resources.files("lds_path.stages") / "templates" / OVERLAY_NAME
    return template.read_text(encoding="utf-8").replace("@OVERLAY@", quoted)


class _Tally:
    """Counts the objects on their way to the file."""

    def __init__(self) -> None:
        self._objects: Counter[str] = Counter()
        self._vertices: Counter[str] = Counter()
        self._area_um2: defaultdict[str, float] = defaultdict(float)
        self._kinds: Counter[str] = Counter()

    def watch(self, objects: Iterable[SlideObject]) -> Iterator[SlideObject]:
        """Yield the objects."""
        for item in objects:
            self._objects[item.class_name] += 1
            self._vertices[item.class_name] += int(shapely.get_num_coordinates(item.geometry))
            self._area_um2[item.class_name] += item.measurements["Area um2"]
            self._kinds[item.kind] += 1
            yield item

    def results(self, classes: Sequence[str]) -> dict[str, Any]:
        """Return the counts of each class, also of those that were not found."""
        return {
            "objects": {name: self._objects[name] for name in classes},
            "vertices": {name: self._vertices[name] for name in classes},
            "area_mm2": {name: round(self._area_um2[name] / 1e6, 6) for name in classes},
            "annotations": self._kinds["annotation"],
            "detections": self._kinds["detection"],
        }


def _find_objects(
    labels: Labels, style: Style, place: Placement, confidence: Confidence | None
) -> Iterator[SlideObject]:
    classes = {each.value: each for each in labels.classes}
    blocks = -(-labels.size.width // BLOCK) * -(-labels.size.height // BLOCK)
    with tqdm(total=blocks, unit="block", desc="export", disable=None) as progress:

        def read_block(left: int, top: int, size: Size) -> NDArray[np.uint8]:
            progress.update()
            return labels.read(0, left, top, size)

        for value, polygon in trace_labels(read_block, labels.size, block=BLOCK):
            geometry = _outline(polygon, style, place)
            if geometry is None:
                continue
            area_um2 = polygon.area * place.mpp**2
            yield SlideObject(
                geometry,
                classes[value].name,
                classes[value].color,
                "annotation" if area_um2 >= style.annotation_um2 else "detection",
                _measure(polygon, geometry, place, confidence),
            )


def _outline(polygon: Polygon, style: Style, place: Placement) -> Polygon | MultiPolygon | None:
    """Return what is written of a traced polygon; None if it is too small."""
    if polygon.area * place.mpp**2 < style.min_object_um2:
        return None
    simple = simplify(
        polygon,
        tolerance=style.tolerance_um / place.mpp,
        min_hole_area=style.max_hole_um2 / place.mpp**2,
    )
    return snap(simple, scale=place.downsample, offset=place.offset)


def _measure(
    polygon: Polygon,
    geometry: Polygon | MultiPolygon,
    place: Placement,
    confidence: Confidence | None,
) -> dict[str, float]:
    """Return the area of the labels, the length of the written outline, and the confidence."""
    measured = {
        "Area um2": round(polygon.area * place.mpp**2, 3),
        "Perimeter um": round(geometry.length * place.mpp / place.downsample, 3),
    }
    mean = confidence.mean(polygon) if confidence is not None else None
    return measured if mean is None else measured | {"Mean confidence": round(mean, 4)}


def _read_confidence(stitch: Path, results: Mapping[str, Any]) -> Confidence | None:
    path = stitch / CONFIDENCE_NAME
    if "confidence_downsample" not in results or not path.exists():
        return None
    try:
        with Image.open(path) as image:
            return Confidence(np.asarray(image), results["confidence_downsample"])
    except (OSError, UnidentifiedImageError) as error:
        raise StageInputError(f"{path} cannot be read ({error}); run stitch again") from None


def _check(parameters: Mapping[str, Any]) -> None:
    for name, value in parameters.items():
        if name != "frame" and not value >= 0:
            raise UsageError(f"{name} is {value:g}; expected 0 or more")
    if parameters["frame"] not in ("bounds", "level0"):
        raise UsageError(f"frame is {parameters['frame']}; expected bounds or level0")
