"""Exact area means of an image at any pitch, so that blocks of it join without a seam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.geometry import Size

WEIGHT_BITS = 12


def area_mean(
    pixels: NDArray[np.uint8], size: Size, *, pitch: float, left: float = 0.0, top: float = 0.0
) -> NDArray[np.uint8]:
    """Return the mean of the source area that each output pixel covers.

    Convention: pixel areas; output column i covers source columns `left + i * pitch` to
    `left + (i + 1) * pitch`, weighted by overlap. The result of a pixel depends only on its
    area, apart from the rounding of the weights to 1/4096. A constant stays constant.

    Parameters
    ----------
    pixels
        Source, (H, W, 3); its edge is repeated where an output pixel reaches beyond.
    size
        Output pixels.
    pitch
        Source pixels per output pixel, >= 1.
    left, top
        Position of the output's corner on the source.

    Returns
    -------
    NDArray
        Planes, (3, size.height, size.width), uint8.
    """
    rows, row_weights = overlap_weights(top, pitch, size.height, pixels.shape[0])
    columns, column_weights = overlap_weights(left, pitch, size.width, pixels.shape[1])
    planes = np.empty((3, size.height, size.width), np.uint8)
    _average(np.ascontiguousarray(pixels), rows, row_weights, columns, column_weights, planes)
    return planes


def overlap_weights(
    start: float, pitch: float, count: int, length: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return the source pixels that each output pixel overlaps, and their weights in 1/4096.

    Returns
    -------
    indices, weights
        Both (count, taps); a row of weights sums to 4096 exactly. Indices stay below length.
    """
    begin = start + np.arange(count) * pitch  # (count,)
    end = begin + pitch
    taps = int(np.ceil(pitch)) + 1
    first = np.floor(begin).astype(np.int64)
    indices = first[:, None] + np.arange(taps)  # (count, taps)
    covered = np.minimum(end[:, None], indices + 1) - np.maximum(begin[:, None], indices)
    fraction = np.clip(covered, 0.0, None) / pitch
    # Rounding the running total instead of the fractions keeps the sum exact.
    total = np.rint(np.cumsum(fraction, axis=1) * 2**WEIGHT_BITS)
    total[:, -1] = 2**WEIGHT_BITS
    weights = np.diff(total, axis=1, prepend=0.0).astype(np.uint32)
    return np.clip(indices, 0, length - 1), weights


@compiled
def _average(
    pixels: NDArray[np.uint8],
    rows: NDArray[np.int64],
    row_weights: NDArray[np.uint32],
    columns: NDArray[np.int64],
    column_weights: NDArray[np.uint32],
    planes: NDArray[np.uint8],
) -> None:
    width = pixels.shape[1]
    flat = pixels.reshape(pixels.shape[0], width * 3)
    sums = np.empty(width * 3, np.uint32)  # 255 * 4096 * 4096 fits into 32 bits
    for y in range(rows.shape[0]):
        sums[:] = 0
        for tap in range(rows.shape[1]):
            weight = row_weights[y, tap]
            if weight:
                line = flat[rows[y, tap]]
                for x in range(width * 3):
                    sums[x] += weight * np.uint32(line[x])
        for x in range(columns.shape[0]):
            red = green = blue = np.uint32(2 ** (2 * WEIGHT_BITS - 1))
            for tap in range(columns.shape[1]):
                weight = column_weights[x, tap]
                column = 3 * columns[x, tap]
                red += weight * sums[column]
                green += weight * sums[column + 1]
                blue += weight * sums[column + 2]
            planes[0, y, x] = red >> np.uint32(2 * WEIGHT_BITS)
            planes[1, y, x] = green >> np.uint32(2 * WEIGHT_BITS)
            planes[2, y, x] = blue >> np.uint32(2 * WEIGHT_BITS)
