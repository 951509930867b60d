"""Arithmetic on whole views a strip of rows at a time, so that only the result is held as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

Value = TypeVar("Value", np.uint8, np.float32)

ROWS = 256


def strips(height: int) -> list[slice]:
    """Return the strips of a view, from top to bottom."""
    return [slice(top, min(top + ROWS, height)) for top in range(0, height, ROWS)]


def padded_strips(height: int, margin: int) -> Iterator[tuple[slice, slice, slice]]:
    """Yield each strip, the rows around it to read, and where it lies among them.

    Parameters
    ----------
    height
        Rows of the view.
    margin
        Rows to read above and below a strip, where there are any.
    """
    for strip in strips(height):
        top = max(strip.start - margin, 0)
        around = slice(top, min(strip.stop + margin, height))
        yield strip, around, slice(strip.start - top, strip.stop - top)


def in_strips(
    change: Callable[[NDArray[np.bool_]], NDArray[np.bool_]],
    mask: NDArray[np.bool_],
    margin: int,
) -> NDArray[np.bool_]:
    """Return a mask changed by a function that reads at most `margin` rows around a pixel."""
    changed = np.empty_like(mask)
    for strip, around, inner in padded_strips(len(mask), margin):
        changed[strip] = change(mask[around])[inner]
    return changed


@dataclass(frozen=True)
class DensityView:
    """The optical density of an RGB view, computed whenever rows of it are needed."""

    view: NDArray[np.uint8]
    """(H, W, 3)."""
    glass: NDArray[np.float32]
    """Colour whose density is 0, (3,)."""
    background: int | None = None
    """Grey value that stands for glass that was not stored: its density is 0 as well."""

    def rows(self, rows: slice) -> NDArray[np.float32]:
        """Return the density of some rows, (h, W, 3), each colour contiguous."""
        density = optical_density(self.view[rows], self.glass)
        if self.background is not None:
            # By colour: a mask of whole pixels takes three times as long.
            grey = is_grey(self.view[rows], self.background)
            for band in range(3):
                np.copyto(density[..., band], 0, where=grey)
        return density

    def whole(self) -> NDArray[np.float32]:
        """Return the density of the whole view, (H, W, 3)."""
        return self.rows(slice(0, len(self.view)))

    def where(
        self, condition: Callable[[NDArray[np.float32]], NDArray[np.bool_]]
    ) -> NDArray[np.bool_]:
        """Return where the densities of a pixel, (h, W, 3), meet a condition, (H, W)."""
        mask = np.empty(self.view.shape[:2], np.bool_)
        for strip in strips(len(mask)):
            mask[strip] = condition(self.rows(strip))
        return mask


def optical_density(view: NDArray[np.uint8], glass: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the optical density of each colour, 0 for glass and brighter.

    Returns
    -------
    NDArray
        Density, (H, W, 3), float32 in [0, 2.41]; each colour is contiguous.
    """
    intensity = np.maximum(np.arange(256, dtype=np.float32), 1.0)
    table = np.log10(np.maximum(glass[:, None] / intensity, 1.0))  # (3, 256)
    planes = np.empty((3, *view.shape[:2]), np.float32)
    for band in range(3):
        np.take(table[band], view[..., band], out=planes[band], mode="clip")
    return planes.transpose(1, 2, 0)


def is_grey(view: NDArray[np.uint8], value: int) -> NDArray[np.bool_]:
    """Return where all colours have one value, (H, W)."""
    grey: NDArray[np.bool_] = view[..., 0] == value
    grey &= view[..., 1] == value
    grey &= view[..., 2] == value
    return grey


def highest_band(pixels: NDArray[Value]) -> NDArray[Value]:
    """Return the largest colour of each pixel, (H, W)."""
    highest: NDArray[Value] = np.maximum(pixels[..., 0], pixels[..., 1])
    np.maximum(highest, pixels[..., 2], out=highest)
    return highest


def lowest_band(pixels: NDArray[Value]) -> NDArray[Value]:
    """Return the smallest colour of each pixel, (H, W)."""
    lowest: NDArray[Value] = np.minimum(pixels[..., 0], pixels[..., 1])
    np.minimum(lowest, pixels[..., 2], out=lowest)
    return lowest


def mean_of_bands(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean of the colours of each pixel, (H, W)."""
    total = pixels[..., 0] + pixels[..., 1]
    total += pixels[..., 2]
    total /= np.float32(3)
    return total


def range_of_bands(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the largest minus the smallest colour of each pixel, (H, W)."""
    highest, lowest = highest_band(pixels), lowest_band(pixels)
    highest -= lowest
    return highest
