"""Borders between the labels of a strip, compiled: traced, simplified, free of crossings.

A *chain* is the border between two pieces, from a point where three or four pieces meet, or the
strip ends, to the next such point. Each chain is simplified once, for the pieces on both sides.

Convention: points are (x, y), whole numbers, corners of pixels. A chain runs with its `left`
piece on the left hand, y pointing down. Pixels are joined over their edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lds_path.compiled import compiled
from lds_path.objects.simplify import FINENESS, choose_points
from lds_path.pixels.components import connect_runs, find_runs, number_pieces, unite_above

if TYPE_CHECKING:
    from numpy.typing import NDArray

_UP, _RIGHT, _DOWN, _LEFT = 1, 2, 4, 8


@dataclass(frozen=True)
class Strip:
    """The pieces and chains of some rows of labels."""

    values: NDArray[np.uint8]
    """Label of each piece."""
    areas: NDArray[np.int64]
    """Pixels of each piece, without those of the row above the strip."""
    first: NDArray[np.int32]
    """Piece of each run of equal labels in the row above the strip; -1 is background."""
    last: NDArray[np.int32]
    """The same for the strip's last row."""
    points: NDArray[np.int32]
    """(N, 2), of all chains one after another."""
    ends: NDArray[np.int64]
    """Where the points of each chain end."""
    sides: NDArray[np.int32]
    """(chains, 2), the piece on the left and on the right; -1 is background."""
    cuts: NDArray[np.bool_]
    """(chains, 2), whether the chain begins, and ends, only because of the strip's upper edge."""
    areas_2: NDArray[np.int64]
    """Twice what each chain, before it is simplified, adds to the area of its left piece."""


@dataclass(frozen=True)
class TracedStrip:
    """The chains of a strip, and its runs of equal labels, which are not yet pieces."""

    labels: NDArray[np.uint8]
    """Label of each run."""
    lefts: NDArray[np.int32]
    """Its first column."""
    rows: NDArray[np.int64]
    """First run of each row."""
    parents: NDArray[np.int32]
    """An earlier run of the same piece, or the run itself, within this strip."""
    points: NDArray[np.int32]
    ends: NDArray[np.int64]
    sides: NDArray[np.int64]
    """(chains, 2), the run on the left and on the right; -1 is background."""
    cuts: NDArray[np.bool_]
    areas_2: NDArray[np.int64]

    def join(self, above: NDArray[np.int32]) -> Strip:
        """Return the strip with its pieces numbered.

        Parameters
        ----------
        above
            `last` of the strip above; pieces that were one stay one.
        """
        unite_above(self.parents, above)
        pieces, values, areas = number_pieces(self.lefts, self.rows, self.labels, self.parents)
        sides = np.append(pieces, np.int32(-1))[self.sides]
        first, last = pieces[: self.rows[1]], pieces[self.rows[-2] :].copy()
        return Strip(
            values, areas, first, last, self.points, self.ends, sides, self.cuts, self.areas_2
        )


def trace_strip(
    labels: NDArray[np.uint8], *, top: int, tolerance: float, fineness: float = FINENESS
) -> TracedStrip:
    """Return the simplified chains of a strip.

    Chains end on the strip's lower edge, where those of the next strip begin. A border along the
    lower edge belongs to the next strip, one along the upper edge to this one.

    Parameters
    ----------
    labels
        (1 + height, 2 + width): the row above the strip, the strip, and a column of 0 on either
        side.
    top
        Row of the image where the strip begins.
    tolerance
        Pixels that a simplified chain may lie from the true one; 0 keeps every corner.
    fineness
        The same as a fraction of the longer side of the chain's box.
    """
    height, width = labels.shape
    lefts, rows, values = find_runs(labels)
    parents = connect_runs(lefts, rows, values)
    marks = np.zeros((height + 1, width), np.uint8)
    points, ends = _trace(labels, lefts, rows, marks)
    sides, areas_2 = _describe(points, ends, top - 1, lefts, rows)
    outer = np.stack([points[np.append(0, ends[:-1])[: ends.size]], points[ends - 1]], axis=1)
    cuts = _find_cuts(labels, outer)
    if tolerance > 0:
        kept = choose_points(labels, points, ends, tolerance, fineness)
        points, ends = points[kept], np.cumsum(kept, dtype=np.int64)[ends - 1]
    points[:, 1] += top - 1
    return TracedStrip(values, lefts, rows, parents, points, ends, sides, cuts, areas_2)


@compiled
def _trace(
    labels: NDArray[np.uint8],
    lefts: NDArray[np.int32],
    rows: NDArray[np.int64],
    marks: NDArray[np.uint8],
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Return the corners of all chains, and where each ends: first the open ones, then the rings.

    `marks` holds, for each corner of a pixel, the directions that were followed.
    """
    points = np.empty((7 * lefts.size, 2), np.int32)
    ends = np.empty(4 * lefts.size, np.int64)
    count = chains = 0
    for rings in (False, True):
        for row in range(rows.size - 1):
            for left in lefts[rows[row] : rows[row + 1]]:
                for y in range(max(row, 1), row + 2):
                    cracks = _cracks(labels, y, left - 1)
                    stop = _stops(labels, y, cracks)
                    if stop == rings or (rings and cracks != _RIGHT | _DOWN):
                        continue
                    for direction in (_RIGHT, _DOWN, _LEFT, _UP):
                        done = marks[y, left - 1] | (_UP if y == 1 else 0)
                        if cracks & direction and not done & direction:
                            count = _follow(labels, marks, points, count, left - 1, y, direction)
                            ends[chains] = count
                            chains += 1
    return points[:count].copy(), ends[:chains].copy()


@compiled
def _cracks(labels: NDArray[np.uint8], y: int, x: int) -> int:
    """Return the directions in which a border leaves the corner above row y, right of column x."""
    above, above_right = labels[y - 1, x], labels[y - 1, x + 1]
    cracks = _UP if above != above_right else 0
    if y < labels.shape[0]:
        below, below_right = labels[y, x], labels[y, x + 1]
        cracks |= _RIGHT if above_right != below_right else 0
        cracks |= _DOWN if below != below_right else 0
        cracks |= _LEFT if above != below else 0
    return cracks


@compiled
def _stops(labels: NDArray[np.uint8], y: int, cracks: int) -> bool:
    """Return whether a chain ends here: where three borders meet, or the strip ends."""
    if y == labels.shape[0] or (y == 1 and cracks & _UP):
        return True
    return bool(cracks & (cracks - 1) & ((cracks & (cracks - 1)) - 1))


@compiled
def _follow(
    labels: NDArray[np.uint8],
    marks: NDArray[np.uint8],
    points: NDArray[np.int32],
    count: int,
    x: int,
    y: int,
    direction: int,
) -> int:
    """Write the corners of the chain that leaves a point; return how many points there are now."""
    first = (x, y)
    points[count] = first
    marks[y, x] |= direction
    while True:
        count += 1
        while True:
            x += (direction == _RIGHT) - (direction == _LEFT)
            y += (direction == _DOWN) - (direction == _UP)
            back = direction << 2 if direction < _DOWN else direction >> 2
            cracks = _cracks(labels, y, x)
            stop = _stops(labels, y, cracks)
            if stop or not cracks & direction:
                break
        points[count] = (x, y)
        marks[y, x] |= back if stop else cracks
        if stop or (x, y) == first:
            return count + 1
        direction = cracks & ~back


@compiled
def _describe(
    points: NDArray[np.int32],
    ends: NDArray[np.int64],
    shift: int,
    lefts: NDArray[np.int32],
    rows: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the runs on both sides of every chain, and twice the area that it adds."""
    sides = np.empty((ends.size, 2), np.int64)
    areas_2 = np.zeros(ends.size, np.int64)
    begin = 0
    for chain, end in enumerate(ends):
        (x, y), (x_next, y_next) = points[begin], points[begin + 1]
        right, down = x_next > x, y_next > y
        horizontal = y == y_next
        row, column = (y - 1, x + right) if horizontal else (y - 1 + down, x)
        near = _run_at(lefts, rows, row, column)
        far = _run_at(lefts, rows, row + horizontal, column + (not horizontal))
        sides[chain] = (near, far) if right or y_next < y else (far, near)
        for k in range(begin, end - 1):
            (x, y), (x_next, y_next) = points[k], points[k + 1]
            areas_2[chain] += np.int64(x_next) * (y + shift) - np.int64(x) * (y_next + shift)
        begin = end
    return sides, areas_2


@compiled
def _run_at(lefts: NDArray[np.int32], rows: NDArray[np.int64], row: int, column: int) -> int:
    run = rows[row] + np.searchsorted(lefts[rows[row] : rows[row + 1]], column, "right") - 1
    return run if run >= rows[row] else -1


def _find_cuts(labels: NDArray[np.uint8], outer: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return which of the chains' first and last points, (chains, 2, 2), are no bend or node."""
    x, y = outer[..., 0], outer[..., 1]
    borders = [labels[0, x] != labels[0, x + 1], labels[0, x + 1] != labels[1, x + 1]]
    borders += [labels[1, x] != labels[1, x + 1], labels[0, x] != labels[1, x]]
    cuts: NDArray[np.bool_] = (y == 1) & (np.sum(borders, axis=0) == 2)
    return cuts
