"""Work over a grid of blocks in the order of a quadtree: the leaves below a parent, then it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lds_path.geometry import Size

Cell = tuple[int, int]
"""Column and row of a block."""
T = TypeVar("T")


def halved_sizes(size: Size, limit: int) -> list[Size]:
    """Return a size and its halves, rounded up, down to the first whose sides are within a limit."""
    sizes = [size]
    while max(sizes[-1].width, sizes[-1].height) > limit:
        sizes.append(sizes[-1].ceil_div(2))
    return sizes


def leaf_order(grid: Size, depth: int) -> Iterator[Cell]:
    """Yield the blocks of a grid so that the four below one parent follow each other."""

    def visit(level: int, cell: Cell) -> Iterator[Cell]:
        if level == 0:
            yield cell
            return
        for child in children(cell, level, grid):
            yield from visit(level - 1, child)

    yield from visit(depth, (0, 0))


def children(cell: Cell, level: int, grid: Size) -> list[Cell]:
    """Return the blocks one level below a block, as far as the grid of leaves reaches."""
    column, row = cell
    below = [(2 * column + x, 2 * row + y) for y in (0, 1) for x in (0, 1)]
    return [
        (x, y) for x, y in below if x << (level - 1) < grid.width and y << (level - 1) < grid.height
    ]


def merge_leaves(
    leaves: Iterator[T],
    merge: Callable[[int, Cell, list[tuple[Cell, T]]], T],
    grid: Size,
    depth: int,
) -> T:
    """Merge leaves, given in `leaf_order`, up to the root and return the value of the root.

    Parameters
    ----------
    leaves
        One value per block of the grid.
    merge
        Called with level, cell, and the cells and values one level below.
    grid
        Columns and rows of leaves.
    depth
        Level of the root.
    """

    def visit(level: int, cell: Cell) -> T:
        if level == 0:
            return next(leaves)
        below = [(child, visit(level - 1, child)) for child in children(cell, level, grid)]
        return merge(level, cell, below)

    return visit(depth, (0, 0))
