"""Means of 2 x 2 pixels, of which each level of a pyramid consists."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def halve(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the means of 2 x 2 pixels, (C, H, W) -> (C, ceil(H / 2), ceil(W / 2)).

    A last odd row or column is averaged with itself. Halves are rounded up. The planes may be a view
    of interleaved pixels, which need no copy; those that are returned are separate.
    """
    channels, height, width = planes.shape
    if height % 2 or width % 2:
        planes = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    rows = planes[:, 0::2].astype(np.uint16)
    rows += planes[:, 1::2]
    total = np.empty((channels, -(-height // 2), -(-width // 2)), np.uint16)
    for plane, pairs in zip(total, rows, strict=True):
        np.add(pairs[:, 0::2], pairs[:, 1::2], out=plane)
    total += 2
    total >>= 2
    return total.astype(np.uint8)
