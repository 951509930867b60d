"""The colour whose optical density is 0: that of the empty glass of a slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from lds_path.pixels.row_strips import highest_band, is_grey, lowest_band, padded_strips, strips

if TYPE_CHECKING:
    from numpy.typing import NDArray

WHITE = (244.0, 244.0, 244.0)
"""The glass colour to assume where a view shows no glass."""


def white_reference(
    view: NDArray[np.uint8], *, background: int | None = None
) -> NDArray[np.float32]:
    """Return the colour of the empty glass, or `WHITE` if the view shows none.

    Glass is bright and smooth, neutral or of any tint but the pink of a faint stain. Pure white
    counts only where nothing else does: scanners fill areas with it that they did not scan.

    Parameters
    ----------
    view
        RGB view, (H, W, 3).
    background
        Grey value of a substitute for glass; it also counts only where nothing else does.

    Returns
    -------
    NDArray
        Red, green and blue, (3,), float32 in [1, 255].
    """
    glass = np.empty(view.shape[:2], np.bool_)
    scanned = np.empty_like(glass)
    for strip, around, inner in padded_strips(len(view), 1):
        _mark_glass(view[around], background, inner, glass[strip], scanned[strip])
    if scanned.sum() > 0.002 * glass.size:
        glass = scanned
    if glass.sum() < 0.0005 * glass.size or not glass.any():
        return np.array(WHITE, np.float32)
    # Number of glass pixels with each sum of colours and each value of a colour.
    counts = np.zeros((3, 3 * 255 + 1, 256), np.int64)
    for strip in strips(len(view)):
        candidates = view[strip][glass[strip]]
        codes = candidates.sum(axis=1, dtype=np.int64) * 256
        for band in range(3):
            pairs = np.bincount(codes + candidates[:, band], minlength=counts[band].size)
            counts[band] += pairs.reshape(counts[band].shape)
    brightness = np.arange(counts.shape[1], dtype=np.float32) / np.float32(3)
    level = _quantile(brightness, counts[0].sum(axis=1), 0.9)
    brightest = counts[:, np.abs(brightness - level) <= 6].sum(axis=1)
    values = np.arange(256, dtype=np.float32)
    return np.array([_quantile(values, band, 0.5) for band in brightest], np.float32)


def _mark_glass(
    view: NDArray[np.uint8],
    background: int | None,
    rows: slice,
    glass: NDArray[np.bool_],
    scanned: NDArray[np.bool_],
) -> None:
    """Mark, for some rows of a view, where glass is and where it was scanned."""
    lowest, highest = lowest_band(view), highest_band(view)
    pink = np.minimum(view[..., 0], view[..., 2]) > view[..., 1] + np.int16(6)
    is_glass = (lowest >= 180) & (highest - lowest <= 40) & ~pink & (_local_range(highest) <= 6)
    glass[:] = is_glass[rows]
    scanned[:] = (is_glass & (lowest < 255))[rows]
    if background is not None:
        scanned &= ~is_grey(view[rows], background)


def _quantile(
    values: NDArray[np.float32], counts: NDArray[np.int64], fraction: float
) -> np.float32:
    """Return a quantile of sorted values with counts, interpolated linearly between two values."""
    position = fraction * (counts.sum() - 1)
    first, last = np.searchsorted(counts.cumsum(), [np.floor(position), np.ceil(position)], "right")
    weight = np.float32(position - np.floor(position))
    return np.float32(values[first] + (values[last] - values[first]) * weight)


def _local_range(band: NDArray[np.uint8]) -> NDArray[np.uint8]:
    brightest: NDArray[np.uint8] = ndimage.maximum_filter(band, 3)
    darkest: NDArray[np.uint8] = ndimage.minimum_filter(band, 3)
    return brightest - darkest
