"""A symmetric filter of 3 x 3 pixels that takes from the detail of an image what compression added.

It is fitted to pixels that are known to be right. A colour without detail stays as it is, and nothing
is shifted, so that colours and places that were not compared are safe.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WEIGHT_BITS = 12
"""Weights are whole numbers of 1/4096, so that every processor gives the same pixels."""


def fit_detail_filter(
    found: Sequence[NDArray[np.uint8]], wanted: Sequence[NDArray[np.float32]]
) -> NDArray[np.int32]:
    """Return the weights that bring images nearest to wanted ones, by least squares, (3, 2, 3).

    Parameters
    ----------
    found, wanted
        Images of at least 3 x 3 pixels, (3, H, W); their outermost pixels do not count.

    Returns
    -------
    NDArray
        In 1/4096, (colour that is filtered, four nearest or four diagonal neighbours, colour of these).
    """
    details = np.concatenate([_details(planes).reshape(6, -1) for planes in found], axis=1)
    missing = [
        (right - planes)[:, 1:-1, 1:-1].reshape(3, -1)
        for planes, right in zip(found, wanted, strict=True)
    ]
    weights = np.linalg.lstsq(details.T, np.concatenate(missing, axis=1).T, rcond=None)[0]
    whole: NDArray[np.int32] = np.rint(weights.T * 2**WEIGHT_BITS).astype(np.int32)
    return whole.reshape(3, 2, 3)


def filter_detail(planes: NDArray[np.uint8], weights: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Return planes, (3, H, W), filtered by what `fit_detail_filter` returned; their edge is repeated."""
    output = np.empty_like(planes, order="C")
    padded = np.pad(planes, ((0, 0), (1, 1), (1, 1)), mode="edge")
    _filter(padded, weights.reshape(3, 6), output)
    return output


def _details(planes: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return how the neighbours of inner pixels differ from them, (2, 3, H - 2, W - 2)."""
    whole = planes.astype(np.float32)
    middle = whole[:, 1:-1, 1:-1]
    rows = whole[:, :-2] + whole[:, 2:]
    nearest = rows[..., 1:-1] + whole[:, 1:-1, :-2] + whole[:, 1:-1, 2:] - 4 * middle
    diagonal = rows[..., :-2] + rows[..., 2:] - 4 * middle
    return np.stack([nearest, diagonal])


@compiled
def _filter(
    padded: NDArray[np.uint8], weights: NDArray[np.int32], output: NDArray[np.uint8]
) -> None:
    """Go row by row in loops over one array at a time, which the compiler turns into vectors."""
    width = output.shape[2]
    details = np.empty((6, width), np.int32)
    half, bits = np.int32(2 ** (WEIGHT_BITS - 1)), np.int32(WEIGHT_BITS)
    for y in range(output.shape[1]):
        for band in range(3):
            above, line, below = padded[band, y], padded[band, y + 1], padded[band, y + 2]
            nearest, diagonal = details[band], details[band + 3]
            for x in range(width):
                middle = np.int32(4) * np.int32(line[x + 1])
                sides = np.int32(line[x]) + np.int32(line[x + 2])
                ends = np.int32(above[x + 1]) + np.int32(below[x + 1])
                nearest[x] = sides + ends - middle
                corners = np.int32(above[x]) + np.int32(above[x + 2])
                corners += np.int32(below[x]) + np.int32(below[x + 2])
                diagonal[x] = corners - middle
        for band in range(3):
            line, filtered = padded[band, y + 1], output[band, y]
            a, b, c, d, e, f = weights[band]
            for x in range(width):
                total = half + a * details[0, x] + b * details[1, x] + c * details[2, x]
                total += d * details[3, x] + e * details[4, x] + f * details[5, x]
                value = np.int32(line[x + 1]) + (total >> bits)
                filtered[x] = min(max(value, np.int32(0)), np.int32(255))
