"""Sizes, regions and frames.

Three frames, named in every coordinate's suffix where it is not the working frame:

* working pixels (no suffix): level 0 of the pyramid, origin at the slide's bounds corner;
* level-0 pixels (`_l0`): the slide file's own finest level, origin at its corner (0, 0);
* microns (`_um`): from the same origin as the working frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int


@dataclass(frozen=True)
class Frame:
    """Where the working pixels lie on the slide.

    Convention: (x, y), pixel areas: working pixel i covers [i, i + 1] of its axis, and
    `x_l0 = left_l0 + x * downsample`.
    """

    mpp: float
    """Microns per working pixel."""
    downsample: float
    """Level-0 pixels per working pixel, >= 1."""
    left_l0: int = 0
    """Bounds corner: level-0 column of working column 0."""
    top_l0: int = 0
    """Bounds corner: level-0 row of working row 0."""

    def to_l0(self, x: float, y: float) -> tuple[float, float]:
        """Return the level-0 position of a working position."""
        return self.left_l0 + x * self.downsample, self.top_l0 + y * self.downsample

    def from_l0(self, x_l0: float, y_l0: float) -> tuple[float, float]:
        """Return the working position of a level-0 position."""
        return (x_l0 - self.left_l0) / self.downsample, (y_l0 - self.top_l0) / self.downsample


@dataclass(frozen=True)
class Region:
    """The unit of processing: a rectangle of working pixels and its lattice.

    A region may reach beyond the right and bottom edge of the slide; there it reads as glass.
    """

    index: int
    """Number of the region in its slide's table, from 0, row by row."""
    left: int
    top: int
    size: Size
    """Extent in working pixels."""
    lattice: Size
    """Samples that the segmentation network sees."""


def widen(region: Region, margin: int) -> Region:
    """Return a region with so many working pixels more on each side."""
    size = Size(region.size.width + 2 * margin, region.size.height + 2 * margin)
    return replace(region, left=region.left - margin, top=region.top - margin, size=size)


def tile_starts(length: int, size: int, overlap: int) -> list[int]:
    """Return the starts of intervals of one size that cover a length.

    Starts are multiples of `size - overlap`, so that a region begins on a whole pixel of every
    pyramid level whose downsample divides that stride; the last interval may reach beyond the end.
    """
    stride = size - overlap
    count = 1 if length <= size else -(-(length - overlap) // stride)
    return [index * stride for index in range(count)]


def blend_weights(size: Size, overlap: int) -> NDArray[np.float32]:
    """Return the weights of a region's pixels before they are normalised.

    The weight rises linearly over the overlap from both edges and never reaches zero, so that
    the outermost pixels of a slide, which one region alone covers, keep a weight.

    Returns
    -------
    NDArray
        Weights, (height, width), float32 in (0, 1].
    """
    return np.outer(_ramp(size.height, overlap), _ramp(size.width, overlap)).astype(np.float32)


def _ramp(length: int, overlap: int) -> NDArray[np.float32]:
    distance = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    return np.minimum(distance / max(overlap, 1), 1.0).astype(np.float32)
