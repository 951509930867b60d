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

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry


GRID = 0.01
"""The grid, in pixels, that QuPath snaps coordinates to."""


def means_inside(
    polygons: Sequence[Sequence[NDArray[np.int64]]], image: NDArray[np.uint8], *, downsample: float
) -> list[float | None]:
    """Return the mean of the known pixels of a coarse image inside each polygon; None if all are 0.

    Parameters
    ----------
    polygons
        Rings of each, (N, 2), closed, the outer one first.
    image
        (H, W). For a polygon that contains no pixel's centre, the pixel at its middle is read.
    downsample
        Units of the polygons per pixel.
    """
    lengths = [len(ring) for rings in polygons for ring in rings]
    points = np.concatenate([ring for rings in polygons for ring in rings]) / downsample
    ring = np.repeat(np.arange(len(lengths)), lengths)
    ends = np.cumsum([sum(map(len, rings)) for rings in polygons])
    found = _sum_inside(points, ring, ends, image).tolist()
    means: list[float | None] = []
    for rings, (inside, known, total) in zip(polygons, found, strict=True):
        if not inside:
            column, row = (rings[0][:-1].mean(axis=0) / downsample).astype(int)
            total = int(image[row : row + 1, column : column + 1].sum())
            known = int(total > 0)
        means.append(total / known if known else None)
    return means


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


@compiled
def _sum_inside(
    points: NDArray[np.float64],
    ring: NDArray[np.int64],
    ends: NDArray[np.int64],
    image: NDArray[np.uint8],
) -> NDArray[np.int64]:
    """Return the number of pixels inside each polygon, that of the known ones, and the sum of these, (N, 3).

    `points` are those of all polygons, their rings closed, in pixels; `ring` is the number of the ring of each,
    and `ends` has where the points of each polygon end.
    """
    height, width = image.shape
    sums = np.zeros((len(ends), 3), np.int64)
    begin = 0
    for k, end in enumerate(ends):
        x, y = points[begin:end, 0], points[begin:end, 1]
        left, right = min(max(np.floor(x.min()), 0), width), min(max(np.ceil(x.max()), 0), width)
        top, bottom = min(max(np.floor(y.min()), 0), height), min(max(np.ceil(y.max()), 0), height)
        corner = np.array([left, top])
        covered = _fill(
            points[begin:end] - corner, ring[begin:end], int(bottom - top), int(right - left)
        )
        for row in range(covered.shape[0]):
            for column in range(covered.shape[1]):
                if covered[row, column]:
                    value = np.int64(image[int(top) + row, int(left) + column])
                    sums[k, 0] += 1
                    sums[k, 1] += value > 0
                    sums[k, 2] += value
        begin = end
    return sums


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
