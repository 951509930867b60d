"""The sampling grid of a region as a mesh of triangles that covers the region.

Convention: grid positions are (x, y) in [-1, 1], the region's outer pixel edges at -1 and 1; the
grid maps lattice to region. Pixel i covers [i, i + 1], its centre is i + 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

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
    main_diagonal: NDArray[np.bool_]
    """(h + 1, w + 1): split from the upper left to the lower right corner, else the other way."""


def build_mesh(
    scores: NDArray[np.uint8] | NDArray[np.float32], grid: NDArray[np.float32], size: Size
) -> Mesh:
    """Return the mesh of a region, ready to be read at any window and scale.

    Parameters
    ----------
    scores
        Scores on the lattice, (C, h, w).
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
    nodes = np.pad(grid.astype(np.float64), ((1, 1), (1, 1), (0, 0)), mode="edge")
    nodes[:, 0, 0], nodes[:, -1, 0] = -1, 1
    nodes[0, :, 1], nodes[-1, :, 1] = -1, 1
    nodes = (np.clip(nodes, -1, 1) + 1) / 2 * (size.width, size.height)
    padded = np.pad(scores.transpose(1, 2, 0), ((1, 1), (1, 1), (0, 0)), mode="edge")
    return Mesh(
        nodes,
        np.ascontiguousarray(padded, np.float32),
        _prefers_main_diagonal(nodes),
    )


def _prefers_main_diagonal(nodes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return how each quadrilateral is best split: so that its smaller triangle is larger.

    This keeps the triangles of a quadrilateral that is not convex inside it. The choice depends
    on the region alone, so that neighbouring windows agree.
    """
    a, b, c, d = nodes[:-1, :-1], nodes[:-1, 1:], nodes[1:, 1:], nodes[1:, :-1]
    main = np.minimum(_doubled_area(a, b, c), _doubled_area(a, c, d))
    other = np.minimum(_doubled_area(a, b, d), _doubled_area(b, c, d))
    return main >= other - 1e-6 * np.abs(other)


def _doubled_area(
    a: NDArray[np.float64], b: NDArray[np.float64], c: NDArray[np.float64]
) -> NDArray[np.float64]:
    ab, ac = b - a, c - a
    area: NDArray[np.float64] = ab[..., 0] * ac[..., 1] - ab[..., 1] * ac[..., 0]
    return area
