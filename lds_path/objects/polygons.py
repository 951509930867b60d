"""Polygons on pixels, and on the grid of QuPath.

Convention: (x, y), pixel areas: pixel (row, column) is the square from (column, row) to
(column + 1, row + 1), and it belongs to a polygon when its centre does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from shapely.geometry import MultiPolygon, Polygon

from lds_path.compiled import compiled
from lds_path.geometry import Size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry


GRID = 0.01
"""The grid, in pixels, that QuPath snaps coordinates to."""


def mean_inside(
    rings: Sequence[NDArray[np.int64]], image: NDArray[np.uint8], *, downsample: float
) -> float | None:
    """Return the mean of the known pixels of a coarse image inside a polygon; None if all are 0.

    Parameters
    ----------
    rings
        (N, 2) each, closed, the outer one first.
    image
        (H, W). For a polygon that contains no pixel's centre, the pixel at its middle is read.
    downsample
        Units of the polygon per pixel.
    """
    height, width = image.shape
    points = np.concatenate(rings) / downsample
    ring = np.repeat(np.arange(len(rings)), [len(points) for points in rings])
    (x, y), inside = _cover(points, ring, Size(width, height))
    values = image[y : y + inside.shape[0], x : x + inside.shape[1]][inside]
    if not values.size:
        column, row = (rings[0][:-1].mean(axis=0) / downsample).astype(int)
        values = image[row : row + 1, column : column + 1]
    known = values[values > 0]
    return float(known.mean()) if known.size else None


def place_on_grid(
    rings: Sequence[NDArray[np.float64] | NDArray[np.int64]],
    *,
    scale: float,
    offset: tuple[float, float] = (0.0, 0.0),
) -> Polygon | MultiPolygon | None:
    """Return rings, scaled and shifted, as a polygon valid on the 0.01 grid; None if none is left.

    The first ring is the outer one.
    """
    placed = [ring * scale + offset for ring in rings]
    shell, *holes = (np.round(ring, 2) for ring in placed)
    polygon = Polygon(shell, holes)
    if polygon.is_valid and polygon.area > 0:
        return polygon
    return areas_of(shapely.set_precision(Polygon(placed[0], placed[1:]), GRID))


def place_all_on_grid(
    pieces: Sequence[Sequence[NDArray[np.int64]]], *, scale: float, offset: tuple[float, float]
) -> list[Polygon | MultiPolygon | None]:
    """Return `place_on_grid` of the rings of each piece, several times as fast."""
    rings = [ring for piece in pieces for ring in piece]
    lengths = [len(ring) for ring in rings]
    owners = np.repeat(np.arange(len(pieces)), [len(piece) for piece in pieces])
    points = np.round(np.concatenate(rings) * scale + offset, 2)
    lines: NDArray[Any] = np.asarray(
        shapely.linearrings(points, indices=np.repeat(np.arange(len(rings)), lengths))
    )
    polygons: NDArray[Any] = np.asarray(shapely.polygons(lines, indices=owners))
    usable = np.asarray(shapely.is_valid(polygons)) & (shapely.area(polygons) > 0)
    return [
        polygon if valid else place_on_grid(piece, scale=scale, offset=offset)
        for polygon, valid, piece in zip(polygons, usable.tolist(), pieces, strict=True)
    ]


def areas_of(geometry: BaseGeometry) -> Polygon | MultiPolygon | None:
    """Return the valid polygons in a geometry, as one geometry; None if it has no area."""
    valid = geometry if geometry.is_valid else shapely.make_valid(geometry)
    parts = shapely.get_parts(shapely.get_parts(valid))
    polygons = [part for part in parts if isinstance(part, Polygon) and part.area > 0]
    if not polygons:
        return None
    return polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)


def _cover(
    points: NDArray[np.float64], ring: NDArray[np.int64], size: Size
) -> tuple[tuple[int, int], NDArray[np.bool_]]:
    """Return the corner, (x, y), of the box of a polygon, and which of its pixels are inside.

    `points` are those of all rings, closed, in pixels; `ring` is the number of the ring of each.
    """
    if not len(points):
        return (0, 0), np.zeros((0, 0), np.bool_)
    limit = (size.width, size.height)
    x, y = np.clip(np.floor(points.min(axis=0)), 0, limit).astype(int).tolist()
    right, bottom = np.clip(np.ceil(points.max(axis=0)), 0, limit).astype(int).tolist()
    return (x, y), _fill(points - (x, y), ring, bottom - y, right - x)


@compiled
def _fill(
    points: NDArray[np.float64], ring: NDArray[np.int64], height: int, width: int
) -> NDArray[np.bool_]:
    """Return the pixels whose centres are inside an odd number of rings, (height, width)."""
    covered = np.zeros((height, width + 1), np.bool_)
    for k in range(len(points) - 1):
        (x, y), (x_next, y_next) = points[k], points[k + 1]
        if ring[k] != ring[k + 1] or y == y_next:
            continue
        first, end = np.ceil(min(y, y_next) - 0.5), np.ceil(max(y, y_next) - 0.5)
        for row in range(max(first, 0), min(end, height)):
            crossing = x + (row + 0.5 - y) * (x_next - x) / (y_next - y)
            covered[row, int(min(max(np.ceil(crossing - 0.5), 0), width))] ^= True
    for row in range(height):
        for column in range(1, width):
            covered[row, column] ^= covered[row, column - 1]
    return covered[:, :width]
