"""The suggested areas as a table and as objects for QuPath, with what the model predicted in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import shapely

from lds_path.classes import OUTLINE_CLASS
from lds_path.formats import table
from lds_path.formats.grey_image import Confidence, open_confidence
from lds_path.formats.labels.label_images import open_labels
from lds_path.formats.results import StitchResults
from lds_path.objects.detected import COLOR
from lds_path.objects.geojson import SlideObject, write_geojson
from lds_path.objects.label_objects import Placement, find_objects
from lds_path.objects.polygons import place_on_grid
from lds_path.objects.style import Style
from lds_path.options.labels import ExportOptions
from lds_path.suggesting.words import PARTS, explain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lds_path.formats.labels.label_images import Labels
    from lds_path.geometry import Rectangle
    from lds_path.suggesting.suggestion import Area

TABLE_NAME = "suggested.tsv"
_BOX = ("left", "top", "width", "height")
HEADER = (
    *("area", "slide", "patient"),
    *(f"{name}_um" for name in _BOX),
    *(f"{name}_l0" for name in _BOX),
    *("score", *PARTS, "tissue_share", "why"),
)
"""Microns count from the corner of the slide's bounds, as in QuPath; level-0 pixels from that of the file."""


def write_table(folder: Path, areas: Sequence[Area]) -> None:
    """Write `suggested.tsv`: one row an area, the best first."""
    rows = [_to_row(number, area) for number, area in enumerate(areas, start=1)]
    table.write_table(folder / TABLE_NAME, HEADER, rows)


def write_areas(path: Path, name: str, areas: Sequence[tuple[int, Area]]) -> None:
    """Write the areas of a slide alone, as its column `roi` takes them."""
    write_geojson(path, [_outline(number, area) for number, area in areas], slide=name)


def write_objects(folder: Path, name: str, areas: Sequence[tuple[int, Area]]) -> None:
    """Write `<slide>.geojson`: what was predicted in the areas of a slide, to be corrected, and the areas.

    The objects are annotations that are not locked, cut at the edges of the areas.
    """
    stitch = areas[0][1].candidate.folder("stitch")
    confidence = open_confidence(stitch)
    with open_labels(stitch) as labels:

        def objects() -> Iterator[SlideObject]:
            for number, area in areas:
                yield _outline(number, area)
                yield from _objects_in(area, labels, confidence)

        write_geojson(folder / f"{name}.geojson", objects(), slide=name)


def _to_row(number: int, area: Area) -> list[object]:
    stitched, box = area.candidate.read(StitchResults), area.rectangle
    label_px = (box.left, box.top, box.size.width, box.size.height)
    corner = stitched.frame.to_l0(box.left, box.top)
    size_l0 = [side * stitched.downsample for side in label_px[2:]]
    parts = [area.parts.get(name) for name in PARTS]
    rare = next((item.name for item in stitched.classes if item.value == area.chosen.rare), "")
    return [
        *(number, area.name, area.candidate.row["patient"]),
        *(f"{side * stitched.mpp:.1f}" for side in label_px),
        *(f"{value:.1f}" for value in (*corner, *size_l0)),
        f"{area.chosen.score:.4f}",
        *(None if value is None else f"{value:.4f}" for value in parts),
        f"{area.tissue:.4f}",
        explain(area.chosen.ranks, rare),
    ]


def _outline(number: int, area: Area) -> SlideObject:
    box = area.rectangle
    ring = shapely.get_coordinates(shapely.box(box.left, box.top, box.right, box.bottom))
    geometry = place_on_grid([ring], scale=area.candidate.read(StitchResults).downsample)
    if geometry is None:
        raise ValueError(f"the area {box} has no extent")
    return SlideObject(geometry, OUTLINE_CLASS, COLOR, name=f"Area {number}")


def _objects_in(area: Area, labels: Labels, confidence: Confidence) -> Iterator[SlideObject]:
    stitched, box, options = area.candidate.read(StitchResults), area.rectangle, ExportOptions()
    style = Style(
        options.tolerance_um, options.min_object_um2, options.max_hole_um2, annotation_um2=0.0
    )
    corner = (box.left * stitched.downsample, box.top * stitched.downsample)
    placement = Placement(stitched.mpp, stitched.downsample, corner)
    window = labels.read(0, box.left, box.top, box.size)
    return find_objects(
        lambda top, size: window[top : top + size.height],
        box.size,
        labels.classes,
        style,
        placement,
        _window(confidence, box),
        locked=False,
    )


def _window(confidence: Confidence, box: Rectangle) -> Confidence:
    """Return the confidence in a rectangle whose corner is that of one of its pixels."""
    pixels: NDArray[np.uint8] = confidence.pixels[box.reduced(confidence.downsample).slices]
    return Confidence(pixels, confidence.downsample)
