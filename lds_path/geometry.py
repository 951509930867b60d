"""Sizes, rectangles, regions and frames.

Three frames, named in every coordinate's suffix where it is not the working frame:

* working pixels (no suffix): level 0 of the pyramid, origin at the slide's bounds corner;
* level-0 pixels (`_l0`): the slide file's own finest level, origin at its corner (0, 0);
* microns (`_um`): from the same origin as the working frame.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator


def ceil_div(length: int, divisor: int) -> int:
    """Return the quotient rounded up."""
    return -(-length // divisor)


@dataclass(frozen=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def area(self) -> int:
        """Number of pixels."""
        return self.width * self.height

    def ceil_div(self, divisor: int) -> Size:
        """Return the number of squares with this edge that cover the size, across and down.

        This is also its size in pixels that are `divisor` times larger, including partial ones.
        """
        return Size(ceil_div(self.width, divisor), ceil_div(self.height, divisor))

    def cut_to(self, limit: Size) -> Size:
        """Return the size, no wider and no higher than another."""
        return Size(min(self.width, limit.width), min(self.height, limit.height))


@dataclass(frozen=True)
class Rectangle:
    """A rectangle of whole pixels; empty if its width or height is 0.

    Convention: (x, y), pixel areas: it covers the columns left <= x < right and the rows
    top <= y < bottom.
    """

    left: int
    top: int
    size: Size

    @classmethod
    def between(cls, left: int, top: int, right: int, bottom: int) -> Self:
        """Return the rectangle between four edges, empty where they cross."""
        return cls(left, top, Size(max(right - left, 0), max(bottom - top, 0)))

    @classmethod
    def whole(cls, size: Size) -> Self:
        """Return the rectangle of an entire image."""
        return cls(0, 0, size)

    @property
    def right(self) -> int:
        """First column beyond it."""
        return self.left + self.size.width

    @property
    def bottom(self) -> int:
        """First row below it."""
        return self.top + self.size.height

    @property
    def is_empty(self) -> bool:
        """Whether it has no pixel."""
        return self.size.width <= 0 or self.size.height <= 0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Its rows and columns, to index an array (H, W, ...) that it lies in."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def intersection(self, other: Rectangle) -> Rectangle:
        """Return the intersection of two rectangles; empty if they do not overlap."""
        return Rectangle.between(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )

    def clipped(self, size: Size) -> Rectangle:
        """Return the part that lies in an image of a size."""
        return self.intersection(Rectangle.whole(size))

    def grown(self, margin: int) -> Rectangle:
        """Return the rectangle with a margin added on each side."""
        size = Size(self.size.width + 2 * margin, self.size.height + 2 * margin)
        return Rectangle(self.left - margin, self.top - margin, size)

    def seen_from(self, left: int, top: int) -> Rectangle:
        """Return it in pixels counted from another origin."""
        return Rectangle(self.left - left, self.top - top, self.size)

    def reduced(self, downsample: int) -> Rectangle:
        """Return the pixels, `downsample` times larger, that it touches."""
        return Rectangle.between(
            self.left // downsample,
            self.top // downsample,
            ceil_div(self.right, downsample),
            ceil_div(self.bottom, downsample),
        )

    def cells(self, cell: Size) -> Iterator[tuple[int, int]]:
        """Yield column and row of the cells of a grid that it touches, row by row.

        The grid begins at pixel (0, 0).
        """
        if not self.is_empty:
            rows = range(self.top // cell.height, ceil_div(self.bottom, cell.height))
            columns = range(self.left // cell.width, ceil_div(self.right, cell.width))
            for row, column in product(rows, columns):
                yield column, row

    def pieces(self, edge: int) -> Iterator[Rectangle]:
        """Yield the pieces into which the multiples of an edge cut it, row by row."""
        for column, row in self.cells(Size(edge, edge)):
            yield self.intersection(Rectangle(column * edge, row * edge, Size(edge, edge)))


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

    @property
    def rectangle(self) -> Rectangle:
        """Where it lies, in working pixels."""
        return Rectangle(self.left, self.top, self.size)


def widen(region: Region, margin: int) -> Region:
    """Return a region with a margin of working pixels on each side."""
    wide = region.rectangle.grown(margin)
    return replace(region, left=wide.left, top=wide.top, size=wide.size)


def tile_starts(length: int, size: int, overlap: int) -> list[int]:
    """Return the starts of intervals of one size that cover a length.

    Starts are multiples of `size - overlap`, so that a region begins on a whole pixel of every
    pyramid level whose downsample divides that stride; the last interval may reach beyond the end.
    """
    stride = size - overlap
    count = 1 if length <= size else ceil_div(length - overlap, stride)
    return [index * stride for index in range(count)]
