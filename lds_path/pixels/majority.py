"""Labels at half the resolution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


def reduce_by_majority(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return labels at half the resolution: the most frequent value of each 2 x 2 pixels.

    0 counts like any other value. Of equally frequent values the highest wins where row + column of
    the result is even, the lowest elsewhere, so that from level to level borders do not drift
    and areas do not grow. An odd edge counts twice.
    """
    if not labels.any():
        return np.zeros((-(-labels.shape[0] // 2), -(-labels.shape[1] // 2)), np.uint8)
    reduced: NDArray[np.uint8] = _reduce_pixels(np.ascontiguousarray(labels))
    return reduced


@compiled
def _reduce_pixels(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = labels.shape
    reduced = np.empty(((height + 1) // 2, (width + 1) // 2), np.uint8)
    for row in range(reduced.shape[0]):
        upper, lower = 2 * row, min(2 * row + 1, height - 1)
        for column in range(reduced.shape[1]):
            left, right = 2 * column, min(2 * column + 1, width - 1)
            a, b = labels[upper, left], labels[upper, right]
            c, d = labels[lower, left], labels[lower, right]
            if a == b and (a in (c, d) or c != d):
                reduced[row, column] = a
            else:
                reduced[row, column] = _most_frequent(a, b, c, d, (row + column) % 2 == 0)
    return reduced


@compiled
def _most_frequent(a: int, b: int, c: int, d: int, highest: bool) -> int:
    """Return the most frequent value, of several the highest or the lowest."""
    winner, max_count = a, 0
    for value in (a, b, c, d):
        count = (value == a) + (value == b) + (value == c) + (value == d)
        beyond = value > winner if highest else value < winner
        if count > max_count or (count == max_count and beyond):
            winner, max_count = value, count
    return winner
