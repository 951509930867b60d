"""Work over a grid of blocks in the order of a quadtree: the leaves below a parent, then it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lds_path.geometry import Size

Place = tuple[int, int]
"""Column and row of a block."""
T = TypeVar("T")


def leaf_order(grid: Size, depth: int) -> Iterator[Place]:
    """Yield the blocks of a grid so that the four below one parent follow each other."""

    def visit(level: int, place: Place) -> Iterator[Place]:
        if level == 0:
            yield place
            return
        for child in children(place, level, grid):
            yield from visit(level - 1, child)

    yield from visit(depth, (0, 0))


def children(place: Place, level: int, grid: Size) -> list[Place]:
    """Return the blocks one level below a block, as far as the grid of leaves reaches."""
    column, row = place
    below = [(2 * column + x, 2 * row + y) for y in (0, 1) for x in (0, 1)]
    return [
        (x, y) for x, y in below if x << (level - 1) < grid.width and y << (level - 1) < grid.height
    ]


def merge_leaves(
    leaves: Iterator[T],
    merge: Callable[[int, Place, list[tuple[Place, T]]], T],
    grid: Size,
    depth: int,
) -> T:
    """Merge leaves, given in `leaf_order`, up to the root and return what the root became.

    Parameters
    ----------
    leaves
        One value per block of the grid.
    merge
        Called with level, place, and the places and values one level below.
    grid
        Columns and rows of leaves.
    depth
        Level of the root.
    """

    def visit(level: int, place: Place) -> T:
        if level == 0:
            return next(leaves)
        below = [(child, visit(level - 1, child)) for child in children(place, level, grid)]
        return merge(level, place, below)

    return visit(depth, (0, 0))
