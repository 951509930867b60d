"""Labels on a warped lattice: what a perfect network would predict there.

Convention: grid positions are (x, y) in [-1, 1], the region's outer pixel edges at -1 and 1; the
grid maps lattice to region. Pixel i covers [i, i + 1].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


def lattice_shares(
    labels: NDArray[np.uint8], positions: NDArray[np.float32], value_count: int
) -> NDArray[np.float32]:
    """Return the share of each value in the rectangle that each sample stands for.

    A rectangle reaches half-way to the neighbours in its row and its column, or to the edge.
    Values beyond the count are unknown; shares refer to the known pixels.

    Parameters
    ----------
    labels
        Values of the region's pixels, (H, W).
    positions
        Grid, (h, w, 2).
    value_count
        Number of values, from 0.

    Returns
    -------
    NDArray
        Shares, (value_count, h, w); all zero where nothing is known.
    """
    height, width = labels.shape
    left, right = _halfway(positions[..., 0], width)
    top, bottom = (side.T for side in _halfway(positions[..., 1].T, height))
    counts = np.zeros((value_count, *positions.shape[:2]), np.int32)
    _count(labels, left, right, top, bottom, counts)
    shares: NDArray[np.float32] = (counts / np.maximum(counts.sum(axis=0), 1)).astype(np.float32)
    return shares


@compiled
def _count(
    labels: NDArray[np.uint8],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    top: NDArray[np.intp],
    bottom: NDArray[np.intp],
    counts: NDArray[np.int32],
) -> None:
    """Count the pixels of each value in the rectangle of each sample."""
    value_count, rows, columns = counts.shape
    for j in range(rows):
        for i in range(columns):
            for y in range(top[j, i], bottom[j, i]):
                for x in range(left[j, i], right[j, i]):
                    value = labels[y, x]
                    if value < value_count:
                        counts[value, j, i] += 1


def lattice_labels(labels: NDArray[np.uint8], positions: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the label of the pixel that each sample lies in, (h, w)."""
    size = np.array(labels.shape[::-1])
    pixel = np.clip(((positions + 1) / 2 * size).astype(np.intp), 0, size - 1)
    sampled: NDArray[np.uint8] = labels[pixel[..., 1], pixel[..., 0]]
    return sampled


def _halfway(
    positions: NDArray[np.float32], length: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where the pixels of each sample in its row start and end, at least one."""
    pixels = (positions.astype(np.float64) + 1) / 2 * length  # (h, w)
    middles = np.rint((pixels[:, :-1] + pixels[:, 1:]) / 2).astype(np.intp)
    start = np.pad(middles, ((0, 0), (1, 0)), constant_values=0)
    end = np.pad(middles, ((0, 0), (0, 1)), constant_values=length)
    start = np.clip(start, 0, length - 1)
    return start, np.clip(np.maximum(end, start + 1), 1, length)
