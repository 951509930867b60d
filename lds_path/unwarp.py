"""The way back: scores on the warped lattice -> scores on the region's own pixels.

The sampling grid is a mesh of quadrilaterals whose topology is known, so no search is needed:
each quadrilateral is split in two triangles, and the scores of a triangle's corners are
interpolated linearly at the pixel centres in it. One ring of nodes on the region's edges, with
the outermost scores repeated, closes the mesh: every pixel of the region is covered.

Convention: grid positions are (x, y) in [-1, 1], the region's outer pixel edges at -1 and 1; the
grid maps lattice to region. Pixel i covers [i, i + 1], its centre is i + 0.5.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from lds_path.mesh import Mesh, build_mesh

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.geometry import Size

__all__ = ["Blend", "Mesh", "blend_ramp", "build_mesh", "unwarp"]

_FLAT = 1e-6
"""Twice the area in pixels below which a triangle is taken as flat, with one score."""


class Blend:
    """The weighted mean of the scores of the regions that overlap a window.

    It is kept as a running mean, so that a constant comes back exactly and a window needs one
    copy of its scores however many regions overlap it.
    """

    def __init__(self, size: Size, class_count: int) -> None:
        self.mean = np.zeros((size.height, size.width, class_count), np.float32)
        self.total = np.zeros((size.height, size.width), np.float32)
        """Sum of the weights; 0 where no region was added."""

    def add(
        self,
        mesh: Mesh,
        weights_x: NDArray[np.float32],
        weights_y: NDArray[np.float32],
        *,
        left: float = 0.0,
        top: float = 0.0,
        scale: float = 1.0,
    ) -> None:
        """Add a region's scores where it covers the window's pixel centres.

        Parameters
        ----------
        mesh
            The region.
        weights_x, weights_y
            Factors of the weight of each column and row of the window, above 0 in the region.
        left, top
            Corner of the window, in pixels from the region's corner.
        scale
            Region pixels per window pixel.
        """
        _accumulate(
            mesh.nodes, mesh.scores, mesh.main_diagonal, (float(left), float(top), float(scale)),
            weights_x, weights_y, self.mean, self.total,
        )  # fmt: skip


def unwarp(
    scores: NDArray[np.uint8] | NDArray[np.float32], grid: NDArray[np.float32], size: Size
) -> NDArray[np.float32]:
    """Return the scores of a region on its own pixels.

    Parameters
    ----------
    scores
        Scores on the lattice, (C, h, w).
    grid
        Sample positions, (h, w, 2).
    size
        Size of the region, (W, H).

    Returns
    -------
    NDArray
        Scores, (C, H, W), float32; each between the scores of the lattice around it.

    Raises
    ------
    ValueError
        If scores and grid do not have the same lattice.
    """
    blend = Blend(size, len(scores))
    ones = np.ones(max(size.width, size.height), np.float32)
    blend.add(build_mesh(scores, grid, size), ones[: size.width], ones[: size.height])
    return np.ascontiguousarray(blend.mean.transpose(2, 0, 1))  # (C, H, W)


def blend_ramp(
    length: int, overlap: float, count: int, *, start: float, scale: float
) -> NDArray[np.float32]:
    """Return one factor of the blend weights at the centres of a window's pixels.

    At scale 1 these are the values of `geometry.blend_weights` along one axis. They are above 0
    even beyond the region, where nothing is added.

    Parameters
    ----------
    length
        Side of the region.
    overlap
        Width of the rise at each end.
    count
        Pixels of the window along this axis.
    start
        Where the window starts, in region pixels.
    scale
        Region pixels per window pixel.
    """
    position = start + (np.arange(count) + 0.5) * scale
    distance = np.minimum(position, length - position)
    ramp: NDArray[np.float32] = np.clip(distance / max(overlap, 1), 1e-6, 1).astype(np.float32)
    return ramp


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _accumulate(
    nodes: NDArray[np.float64],
    scores: NDArray[np.float32],
    main_diagonal: NDArray[np.bool_],
    window: tuple[float, float, float],
    weights_x: NDArray[np.float32],
    weights_y: NDArray[np.float32],
    mean: NDArray[np.float32],
    total: NDArray[np.float32],
) -> None:
    """Rasterise every quadrilateral that may touch the window."""
    left, top, scale = window
    height, width, classes = mean.shape
    value, slope = np.empty(classes), np.empty((2, classes))
    x, y = np.empty(3), np.empty(3)
    rows, columns = main_diagonal.shape
    right, bottom = left + width * scale, top + height * scale
    for j in range(rows):
        for i in range(columns):
            low, high = _extent(nodes, j, i, 1)
            if high <= top or low >= bottom:
                continue
            low, high = _extent(nodes, j, i, 0)
            if high <= left or low >= right:
                continue
            for half in range(2):
                corners = _split(j, i, half, main_diagonal[j, i])
                for k in range(3):
                    x[k] = (nodes[corners[k][0], corners[k][1], 0] - left) / scale
                    y[k] = (nodes[corners[k][0], corners[k][1], 1] - top) / scale
                _fit_plane(x, y, scores, corners, value, slope)
                _fill(x, y, value, slope, weights_x, weights_y, mean, total)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _extent(nodes: NDArray[np.float64], j: int, i: int, axis: int) -> tuple[float, float]:
    a, b = nodes[j, i, axis], nodes[j, i + 1, axis]
    c, d = nodes[j + 1, i + 1, axis], nodes[j + 1, i, axis]
    return min(min(a, b), min(c, d)), max(max(a, b), max(c, d))


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _split(
    j: int, i: int, half: int, main: bool
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return the three nodes, (row, column), of one half of a quadrilateral."""
    a, b, c, d = (j, i), (j, i + 1), (j + 1, i + 1), (j + 1, i)
    if main:
        return (a, b, c) if half == 0 else (a, c, d)
    return (a, b, d) if half == 0 else (b, c, d)


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fit_plane(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    scores: NDArray[np.float32],
    corners: tuple[tuple[int, int], tuple[int, int], tuple[int, int]],
    value: NDArray[np.float64],
    slope: NDArray[np.float64],
) -> None:
    """Set each class's score at the first corner and its slopes along x and y."""
    ux, uy, vx, vy = x[1] - x[0], y[1] - y[0], x[2] - x[0], y[2] - y[0]
    area = ux * vy - uy * vx
    inverse = 1.0 / area if abs(area) > _FLAT else 0.0
    for c in range(value.size):
        first = np.float64(scores[corners[0][0], corners[0][1], c])
        u = scores[corners[1][0], corners[1][1], c] - first
        v = scores[corners[2][0], corners[2][1], c] - first
        value[c] = first
        slope[0, c] = (u * vy - v * uy) * inverse
        slope[1, c] = (v * ux - u * vx) * inverse


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _fill(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    value: NDArray[np.float64],
    slope: NDArray[np.float64],
    weights_x: NDArray[np.float32],
    weights_y: NDArray[np.float32],
    mean: NDArray[np.float32],
    total: NDArray[np.float32],
) -> None:
    """Blend a triangle's scores into the pixels whose centres it holds.

    A row of pixel centres is cut by the mesh's edges into spans, closed at their left and open
    at their right end. Where an edge is cut is computed alike for both its triangles, so that
    the spans of a row leave no gap.
    """
    height, width, classes = mean.shape
    high = 0 if y[0] <= y[1] and y[0] <= y[2] else (1 if y[1] <= y[2] else 2)
    low = (high + 1) % 3
    middle = (high + 2) % 3
    if y[low] < y[middle]:
        low, middle = middle, low
    long_edge = _slope(x, y, high, low)
    upper, lower = _slope(x, y, high, middle), _slope(x, y, middle, low)
    for row in range(max(math.ceil(y[high] - 0.5), 0), min(math.ceil(y[low] - 0.5), height)):
        center = row + 0.5
        one = x[high] + (center - y[high]) * long_edge
        if center < y[middle]:
            two = x[high] + (center - y[high]) * upper
        else:
            two = x[middle] + (center - y[middle]) * lower
        first = max(math.ceil(min(one, two) - 0.5), 0)
        last = min(math.ceil(max(one, two) - 0.5), width)
        for column in range(first, last):
            weight = weights_y[row] * weights_x[column]
            total[row, column] += weight
            share = weight / total[row, column]
            dx, dy = column + 0.5 - x[0], center - y[0]
            for c in range(classes):
                score = np.float32(value[c] + slope[0, c] * dx + slope[1, c] * dy)
                mean[row, column, c] += share * (score - mean[row, column, c])


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _slope(x: NDArray[np.float64], y: NDArray[np.float64], start: int, end: int) -> float:
    """Return how far an edge moves along x per row; a level edge is never cut."""
    rise = y[end] - y[start]
    return (x[end] - x[start]) / rise if rise > 0 else 0.0
