"""The pieces of a label image as objects: where they lie on the slide, and what is measured."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import shapely

from lds_path.objects.geojson import SlideObject
from lds_path.objects.pieces import trace_labels
from lds_path.objects.polygons import means_inside, place_all_on_grid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from shapely.geometry import MultiPolygon, Polygon

    from lds_path.classes import LabelClass
    from lds_path.formats.grey_image import Confidence
    from lds_path.geometry import Size
    from lds_path.objects.pieces import LeftOut, Piece
    from lds_path.objects.style import Style

_BATCH = 256


@dataclass(frozen=True)
class Placement:
    """Where the label pixels lie in the coordinates of the file.

    Convention: (x, y), pixel areas; written = offset + label * downsample.
    """

    mpp: float
    """Microns per label pixel."""
    downsample: float
    """Level-0 pixels per label pixel."""
    offset: tuple[float, float]
    """Level-0 pixels."""


def find_objects(
    read_strip: Callable[[int, Size], NDArray[np.uint8]],
    size: Size,
    classes: Sequence[LabelClass],
    style: Style,
    placement: Placement,
    confidence: Confidence | None,
    *,
    threads: int = 1,
    left_out: LeftOut | None = None,
    locked: bool = True,
) -> Iterator[SlideObject]:
    """Yield the pieces of labels as objects; those as large as the style says are annotations.

    Parameters
    ----------
    read_strip, size, threads, left_out
        As `trace_labels` takes them.
    classes
        What the labels mean.
    style
        Which pieces become objects, and how.
    placement
        Where the labels lie.
    confidence
        Of the same labels, for a measurement.
    locked
        Whether QuPath is to keep people from changing them by accident.
    """
    meaning = {item.value: item for item in classes}
    pieces = trace_labels(
        read_strip,
        size,
        threads=threads,
        tolerance=style.tolerance_um / placement.mpp,
        fineness=style.fineness,
        min_area=style.min_object_um2 / placement.mpp**2,
        min_hole_area=style.max_hole_um2 / placement.mpp**2,
        left_out=left_out,
    )
    while batch := list(islice(pieces, _BATCH)):
        for piece, geometry, measurements in _measure(batch, placement, confidence):
            large = measurements["Area um2"] >= style.annotation_um2
            yield SlideObject(
                geometry,
                meaning[piece.value].name,
                meaning[piece.value].color,
                "annotation" if large else "detection",
                measurements,
                locked=locked,
            )


def _measure(
    pieces: Sequence[Piece], placement: Placement, confidence: Confidence | None
) -> Iterator[tuple[Piece, Polygon | MultiPolygon, dict[str, float]]]:
    """Yield the pieces that have an area on the grid, that area, and what is measured.

    That is the area of the labels; length and solidity of what is written; the confidence.
    """
    placed = place_all_on_grid(
        [piece.rings for piece in pieces], scale=placement.downsample, offset=placement.offset
    )
    lengths = shapely.length(placed) * placement.mpp / placement.downsample
    solidities = shapely.area(placed) / shapely.area(shapely.convex_hull(placed))
    means: list[float | None] = [None] * len(pieces)
    if confidence is not None:
        rings = [piece.rings for piece in pieces]
        means = means_inside(rings, confidence.pixels, downsample=confidence.downsample)
    for piece, geometry, length, solidity, mean in zip(
        pieces, placed, lengths.tolist(), solidities.tolist(), means, strict=True
    ):
        if geometry is None:
            continue
        measurements = {
            "Area um2": round(piece.area * placement.mpp**2, 3),
            "Perimeter um": round(length, 3),
            "Solidity": round(solidity, 4),
        }
        if mean is not None:
            measurements["Mean confidence"] = round(mean / 255, 4)
        yield piece, geometry, measurements
