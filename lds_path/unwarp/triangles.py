"""Triangles of a mesh on the pixels of a window, compiled.

Convention: (x, y) in window pixels; pixel i covers [i, i + 1], its centre is i + 0.5. A triangle
holds a pixel when it holds its centre. A row of centres is cut by the mesh's edges into spans,
closed at their left and open at their right end. The position of a cut is computed in the same
way for both triangles of an edge, so that the spans of a row leave no gap.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lds_path.compiled import compiled

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Node: TypeAlias = tuple[int, int]
    Triangle: TypeAlias = tuple[float, float, float, float, float, float]
    Edges: TypeAlias = tuple[float, float, float, float, float, float, float, float]

FLAT = 1e-6
"""Twice the area in pixels below which a triangle is taken as flat, with one score."""


@compiled
def misses(nodes: NDArray[np.float64], j: int, i: int, axis: int, low: float, high: float) -> bool:
    """Return whether a quadrilateral lies beside a range along an axis."""
    a, b = nodes[j, i, axis], nodes[j, i + 1, axis]
    c, d = nodes[j + 1, i + 1, axis], nodes[j + 1, i, axis]
    return bool(min(min(a, b), min(c, d)) >= high or max(max(a, b), max(c, d)) <= low)


@compiled
def split(j: int, i: int, half: int, main: bool) -> tuple[Node, Node, Node]:
    """Return the three nodes, (row, column), of one half of a quadrilateral."""
    a, b, c, d = (j, i), (j, i + 1), (j + 1, i + 1), (j + 1, i)
    if main:
        return (a, b, c) if half == 0 else (a, c, d)
    return (a, b, d) if half == 0 else (b, c, d)


@compiled
def corner_positions(
    nodes: NDArray[np.float64],
    corners: tuple[Node, Node, Node],
    left: float,
    top: float,
    scale: float,
) -> Triangle:
    """Return x and y of the three corners, in window pixels."""
    (ja, ia), (jb, ib), (jc, ic) = corners
    return (
        (nodes[ja, ia, 0] - left) / scale,
        (nodes[ja, ia, 1] - top) / scale,
        (nodes[jb, ib, 0] - left) / scale,
        (nodes[jb, ib, 1] - top) / scale,
        (nodes[jc, ic, 0] - left) / scale,
        (nodes[jc, ic, 1] - top) / scale,
    )


@compiled
def fit_plane(
    triangle: Triangle, scores: NDArray[np.float32], corners: tuple[Node, Node, Node], c: int
) -> tuple[float, float, float]:
    """Return a score at the first corner, and its slopes along x and y."""
    ax, ay, bx, by, cx, cy = triangle
    (ja, ia), (jb, ib), (jc, ic) = corners
    ux, uy, vx, vy = bx - ax, by - ay, cx - ax, cy - ay
    area = ux * vy - uy * vx
    inverse = 1.0 / area if abs(area) > FLAT else 0.0
    first = np.float64(scores[ja, ia, c])
    u, v = scores[jb, ib, c] - first, scores[jc, ic, c] - first
    return first, (u * vy - v * uy) * inverse, (v * ux - u * vx) * inverse


@compiled
def edges_of(triangle: Triangle) -> Edges:
    """Return the highest and the middle corner, the lowest y, and the change of x along each edge per row.

    The edges are the long one, and those above and below the middle corner. A horizontal edge is
    never cut.
    """
    ax, ay, bx, by, cx, cy = triangle
    if by < ay:
        ax, ay, bx, by = bx, by, ax, ay
    if cy < ay:
        ax, ay, cx, cy = cx, cy, ax, ay
    if cy < by:
        bx, by, cx, cy = cx, cy, bx, by
    long = (cx - ax) / (cy - ay) if cy > ay else 0.0
    upper = (bx - ax) / (by - ay) if by > ay else 0.0
    lower = (cx - bx) / (cy - by) if cy > by else 0.0
    return ax, ay, bx, by, cy, long, upper, lower


@compiled
def rows_of(edges: Edges, first: int, end: int) -> tuple[int, int]:
    """Return the rows, of those from first to end, whose pixel centres a triangle may hold."""
    return max(math.ceil(edges[1] - 0.5), first), min(math.ceil(edges[4] - 0.5), end)


@compiled
def span_of(edges: Edges, center: float, first: int, end: int) -> tuple[int, int]:
    """Return the columns, of those from first to end, whose centres lie in a triangle in a row."""
    x, y, x_middle, y_middle, _, long, upper, lower = edges
    x_long = x + (center - y) * long
    x_short = (
        x + (center - y) * upper if center < y_middle else x_middle + (center - y_middle) * lower
    )
    return (
        max(math.ceil(min(x_long, x_short) - 0.5), first),
        min(math.ceil(max(x_long, x_short) - 0.5), end),
    )


@compiled
def cut_planes(
    planes: NDArray[np.float64],
    triangle: tuple[float, float, float, float, float, float],
    first: int,
    center: float,
) -> None:
    """Set the fourth number of each plane: its score at the centre of a row's first pixel."""
    for c in range(len(planes)):
        dx, dy = first + 0.5 - triangle[0], center - triangle[1]
        planes[c, 3] = planes[c, 0] + planes[c, 1] * dx + planes[c, 2] * dy
