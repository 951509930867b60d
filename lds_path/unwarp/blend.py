"""Unwarping and blending: scores on the warped lattice -> scores on the region's pixels.

The sampling grid is a mesh of quadrilaterals whose topology is known, so no search is needed:
each quadrilateral is split in two triangles, and the scores of a triangle's corners are
interpolated linearly at the pixel centres in it. One ring of nodes on the region's edges, with
the outermost scores repeated, closes the mesh: every pixel of the region is covered.

Convention: grid positions are (x, y) in [-1, 1], the region's outer pixel edges at -1 and 1; the
grid maps lattice to region. Pixel i covers [i, i + 1], its centre is i + 0.5.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.compiled import compiled
from lds_path.geometry import Rectangle, Size
from lds_path.unwarp.mesh import Mesh, build_mesh
from lds_path.unwarp.triangles import (
    corner_positions,
    cut_planes,
    edges_of,
    fit_plane,
    misses,
    rows_of,
    span_of,
    split,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Blend", "Mesh", "blend_ramp", "build_mesh", "unwarp"]


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
        part: Rectangle | None = None,
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
        part
            The only pixels of the window to add to; all when not given.
        """
        height, width = self.total.shape
        part = part or Rectangle.whole(Size(width, height))
        _accumulate(
            mesh.nodes, mesh.scores, mesh.main_diagonal, mesh.extents,
            (float(left), float(top), float(scale)), (part.top, part.bottom, part.left, part.right),
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

    The weight rises linearly over the overlap from both edges to 1 and never reaches zero, so that
    the outermost pixels of a slide, which only one region covers, keep a weight. It is above 0
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


@compiled
def _accumulate(
    nodes: NDArray[np.float64],
    scores: NDArray[np.float32],
    main_diagonal: NDArray[np.bool_],
    extents: NDArray[np.float64],
    window: tuple[float, float, float],
    part: tuple[int, int, int, int],
    weights_x: NDArray[np.float32],
    weights_y: NDArray[np.float32],
    mean: NDArray[np.float32],
    total: NDArray[np.float32],
) -> None:
    """Blend every triangle that may touch a part of the window."""
    left, top, scale = window
    upper, lower = top + part[0] * scale, top + part[1] * scale
    near, far = left + part[2] * scale, left + part[3] * scale
    classes = mean.shape[2]
    planes = np.empty((classes, 4))
    rows, columns = main_diagonal.shape
    for j in range(rows):
        if extents[j, 0] >= lower or extents[j, 1] <= upper:
            continue
        for i in range(columns):
            if misses(nodes, j, i, 0, near, far) or misses(nodes, j, i, 1, upper, lower):
                continue
            for half in range(2):
                corners = split(j, i, half, main_diagonal[j, i])
                triangle = corner_positions(nodes, corners, left, top, scale)
                for c in range(classes):
                    planes[c, 0], planes[c, 1], planes[c, 2] = fit_plane(
                        triangle, scores, corners, c
                    )
                _blend_triangle(triangle, planes, part, weights_x, weights_y, mean, total)


@compiled
def _blend_triangle(
    triangle: tuple[float, float, float, float, float, float],
    planes: NDArray[np.float64],
    part: tuple[int, int, int, int],
    weights_x: NDArray[np.float32],
    weights_y: NDArray[np.float32],
    mean: NDArray[np.float32],
    total: NDArray[np.float32],
) -> None:
    """Blend a triangle's scores into the pixels of a part whose centres it holds."""
    classes = mean.shape[2]
    edges = edges_of(triangle)
    for row in range(*rows_of(edges, part[0], part[1])):
        center = row + 0.5
        first, last = span_of(edges, center, part[2], part[3])
        cut_planes(planes, triangle, first, center)
        for column in range(first, last):
            weight = weights_y[row] * weights_x[column]
            before = total[row, column]
            total[row, column] = before + weight
            if before == 0:
                for c in range(classes):
                    mean[row, column, c] = planes[c, 3] + planes[c, 1] * (column - first)
                continue
            fraction = weight / total[row, column]
            for c in range(classes):
                score = np.float32(planes[c, 3] + planes[c, 1] * (column - first))
                mean[row, column, c] += fraction * (score - mean[row, column, c])
