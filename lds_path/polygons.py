"""From labels to polygons and back, exactly.

Convention: (x, y), pixel areas: pixel (row, column) is the square from (column, row) to
(column + 1, row + 1), and it belongs to a polygon when its centre does. Pixels are joined over
their edges, not over their corners, so that every polygon is valid.
"""

from __future__ import annotations

from itertools import compress
from operator import not_
from typing import TYPE_CHECKING

import numpy as np
import shapely
from rasterio import Affine, features
from shapely.geometry import MultiPolygon, Polygon

from lds_path.geometry import Size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

GRID = 0.01
"""The grid, in pixels, that QuPath snaps coordinates to."""


def trace_labels(
    read_block: Callable[[int, int, Size], NDArray[np.uint8]], size: Size, *, block: int = 4096
) -> Iterator[tuple[int, Polygon]]:
    """Yield the value and outline of every connected piece of a label image.

    The image is read block by block. A piece that reaches into another block waits until its
    last part is read; the parts are then joined exactly, so that the blocks leave no trace.
    Memory holds one block and the pieces that cross into the next row of blocks.

    Parameters
    ----------
    read_block
        Called with left, top and size; returns the labels there, (height, width). 0 is no class.
    size
        Extent of the image.
    block
        Side of the blocks in pixels.

    Yields
    ------
    tuple
        Value and polygon, with its holes, in label pixels.
    """
    waiting: dict[int, list[Polygon]] = {}
    for top in range(0, size.height, block):
        bottom = min(top + block, size.height)
        for value, piece, crosses in _trace_row(read_block, size, top, block):
            if crosses:
                waiting.setdefault(value, []).append(piece)
            else:
                yield value, piece
        for value in sorted(waiting):
            joined = _join(waiting.pop(value))
            ends_here = [piece.bounds[3] < bottom or bottom == size.height for piece in joined]
            for piece in compress(joined, ends_here):
                yield value, _drop_straight_points(piece)
            if not all(ends_here):
                waiting[value] = list(compress(joined, map(not_, ends_here)))


def rasterise(
    polygons: Sequence[tuple[int, BaseGeometry]],
    left: int,
    top: int,
    size: Size,
    *,
    downsample: float = 1.0,
) -> NDArray[np.uint8]:
    """Return a window of the label image that polygons describe.

    Parameters
    ----------
    polygons
        Value and area; where areas overlap the last one counts.
    left, top
        Corner of the window in label pixels.
    size
        Extent of the window in label pixels.
    downsample
        Units of the polygons per label pixel.

    Returns
    -------
    NDArray
        Labels, (height, width); 0 where no polygon covers a pixel's centre.
    """
    window = shapely.box(
        left * downsample,
        top * downsample,
        (left + size.width) * downsample,
        (top + size.height) * downsample,
    )
    near = [(area, value) for value, area in polygons if area.intersects(window)]
    if not near:
        return np.zeros((size.height, size.width), np.uint8)
    labels: NDArray[np.uint8] = features.rasterize(
        near,
        out_shape=(size.height, size.width),
        transform=Affine(downsample, 0, left * downsample, 0, downsample, top * downsample),
        dtype=np.uint8,
    )
    return labels


def simplify(polygon: Polygon, *, tolerance: float, min_hole_area: float) -> Polygon:
    """Return the polygon without small holes and with fewer points.

    Parameters
    ----------
    polygon
        A valid polygon.
    tolerance
        How far the new outline may lie from the old one; 0 drops no bend.
    min_hole_area
        Smaller holes are filled.
    """
    holes = [hole for hole in polygon.interiors if Polygon(hole).area >= min_hole_area]
    kept = Polygon(polygon.exterior, holes)
    if tolerance <= 0:
        return kept
    simplified = kept.simplify(tolerance, preserve_topology=True)
    return simplified if isinstance(simplified, Polygon) else kept


def snap(
    polygon: Polygon, *, scale: float, offset: tuple[float, float] = (0.0, 0.0)
) -> Polygon | MultiPolygon | None:
    """Return the polygon scaled, shifted and valid on the 0.01 grid; None if nothing is left."""
    placed = shapely.transform(polygon, lambda points: points * scale + np.array(offset))
    snapped = shapely.set_precision(placed, GRID)
    return areas_of(snapped)


def areas_of(geometry: BaseGeometry) -> Polygon | MultiPolygon | None:
    """Return the valid polygons in a geometry, as one geometry; None if it has no area."""
    valid = geometry if geometry.is_valid else shapely.make_valid(geometry)
    parts = shapely.get_parts(shapely.get_parts(valid))
    polygons = [part for part in parts if isinstance(part, Polygon) and part.area > 0]
    if not polygons:
        return None
    return polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)


def _trace_row(
    read_block: Callable[[int, int, Size], NDArray[np.uint8]], size: Size, top: int, block: int
) -> Iterator[tuple[int, Polygon, bool]]:
    """Yield value, outline and whether it may go on in another block, for a row of blocks."""
    bottom = min(top + block, size.height)
    for left in range(0, size.width, block):
        right = min(left + block, size.width)
        labels = read_block(left, top, Size(right - left, bottom - top))
        for value, piece in _trace_block(labels, left, top):
            yield value, piece, _crosses(piece, (left, top, right, bottom), size)


def _trace_block(labels: NDArray[np.uint8], left: int, top: int) -> Iterator[tuple[int, Polygon]]:
    if not labels.any():
        return
    place = Affine.translation(left, top)
    for outline, value in features.shapes(labels, labels > 0, connectivity=4, transform=place):
        rings = [np.array(ring) for ring in outline["coordinates"]]
        yield int(value), Polygon(rings[0], rings[1:])


def _crosses(piece: Polygon, box: tuple[int, int, int, int], size: Size) -> bool:
    """Return whether the piece touches an edge of the block that is not one of the image."""
    edges = zip(piece.bounds, box, (0, 0, size.width, size.height), strict=True)
    return any(bound == edge != limit for bound, edge, limit in edges)


def _join(pieces: list[Polygon]) -> list[Polygon]:
    return list(shapely.get_parts(shapely.union_all(pieces)))


def _drop_straight_points(polygon: Polygon) -> Polygon:
    """Return the polygon without the points that a join leaves in the middle of an edge."""
    rings = [_corners(ring) for ring in (polygon.exterior, *polygon.interiors)]
    return Polygon(rings[0], rings[1:])


def _corners(ring: shapely.LinearRing) -> NDArray[np.float64]:
    points = shapely.get_coordinates(ring)[:-1]
    same_before = points == np.roll(points, 1, axis=0)
    same_after = points == np.roll(points, -1, axis=0)
    corners: NDArray[np.float64] = points[~(same_before & same_after).any(axis=1)]
    return corners
