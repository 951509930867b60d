"""The sampling grid of a region as a mesh of triangles that covers the region.

Convention: grid positions are (x, y) in [-1, 1], the region's outer pixel edges at -1 and 1; the
grid maps lattice to region. Pixel i covers [i, i + 1], its centre is i + 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lds_path.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.geometry import Size


@dataclass(frozen=True)
class Mesh:
    """The scores of a region on the nodes of its lattice and of the ring around it."""

    nodes: NDArray[np.float64]
    """(h + 2, w + 2, 2), (x, y) in pixels from the region's corner."""
    scores: NDArray[np.float32]
    """(h + 2, w + 2, C)."""
    likeliest: NDArray[np.uint8]
    """(h + 2, w + 2), the class with the highest score at each node, the first of equal ones."""
    main_diagonal: NDArray[np.bool_]
    """(h + 1, w + 1): split from the upper left to the lower right corner, else along the other diagonal."""
    extents: NDArray[np.float64]
    """(h + 1, 2), smallest and largest y of each row of quadrilaterals."""


def build_mesh(
    scores: NDArray[np.uint8] | NDArray[np.float32], grid: NDArray[np.float32], size: Size
) -> Mesh:
    """Return the mesh of a region, ready to be read at any window and scale.

    Parameters
    ----------
    scores
        Scores on the lattice, (C, h, w), at most 256 of each sample.
    grid
        Sample positions, (h, w, 2).
    size
        Size of the region in pixels.

    Raises
    ------
    ValueError
        If scores and grid do not have the same lattice.
    """
    if (*scores.shape[1:], 2) != grid.shape:
        raise ValueError(f"scores {scores.shape} and grid {grid.shape} have different lattices")
    nodes = _place_nodes(np.ascontiguousarray(grid, np.float64), size.width, size.height)
    padded, likeliest = _pad_scores(np.ascontiguousarray(scores, np.float32))
    return Mesh(nodes, padded, likeliest, *_shape(nodes))


@compiled
def _place_nodes(grid: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    rows, columns = grid.shape[0] + 2, grid.shape[1] + 2
    nodes = np.empty((rows, columns, 2), np.float64)
    for j in range(rows):
        for i in range(columns):
            sample = grid[min(max(j - 1, 0), rows - 3), min(max(i - 1, 0), columns - 3)]
            x = -1.0 if i == 0 else (1.0 if i == columns - 1 else sample[0])
            y = -1.0 if j == 0 else (1.0 if j == rows - 1 else sample[1])
            nodes[j, i, 0] = (min(max(x, -1.0), 1.0) + 1) / 2 * width
            nodes[j, i, 1] = (min(max(y, -1.0), 1.0) + 1) / 2 * height
    return nodes


@compiled
def _pad_scores(scores: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Return the scores of every node, the outermost repeated, and which is the highest."""
    count, height, width = scores.shape
    padded = np.empty((height + 2, width + 2, count), np.float32)
    likeliest = np.zeros((height + 2, width + 2), np.uint8)
    for j in range(height + 2):
        row = min(max(j - 1, 0), height - 1)
        for i in range(width + 2):
            column = min(max(i - 1, 0), width - 1)
            for c in range(count):
                padded[j, i, c] = scores[c, row, column]
                if padded[j, i, c] > padded[j, i, likeliest[j, i]]:
                    likeliest[j, i] = c
    return padded, likeliest


@compiled
def _shape(nodes: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return how each quadrilateral is best split, and how far each row of them reaches.

    It is split so that the smaller triangle is as large as possible. This keeps the triangles of a quadrilateral
    that is not convex inside it. The choice depends only on the region, so that neighbouring
    windows agree.
    """
    rows, columns = nodes.shape[0] - 1, nodes.shape[1] - 1
    main_diagonal = np.empty((rows, columns), np.bool_)
    extents = np.empty((rows, 2), np.float64)
    for j in range(rows):
        extents[j] = nodes[j : j + 2, :, 1].min(), nodes[j : j + 2, :, 1].max()
        for i in range(columns):
            a, b, c, d = nodes[j, i], nodes[j, i + 1], nodes[j + 1, i + 1], nodes[j + 1, i]
            main = min(_doubled_area(a, b, c), _doubled_area(a, c, d))
            other = min(_doubled_area(a, b, d), _doubled_area(b, c, d))
            main_diagonal[j, i] = main >= other - 1e-6 * abs(other)
    return main_diagonal, extents


@compiled
def _doubled_area(a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]) -> float:
    return float((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))
