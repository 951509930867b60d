"""Borders of labels with fewer points, which still do not touch or cross each other.

Convention: points are (x, y), corners of pixels; (x, y) is the upper right corner of the pixel in
row y and column x of `labels`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

FINENESS = 1 / 32
"""Default deviation of a simplified chain, as a fraction of the longer side of its box."""
BIAS = 1 / 4
"""Largest mean shift of a border to one side by a chord, as a fraction of the allowed deviation."""
CLEARANCE = 0.1
"""Pixels between a simplified outline and any corner of the labels that is not on it.

Coordinates may be rounded by half of that without one outline touching another."""


@compiled
def choose_points(
    labels: NDArray[np.uint8],
    points: NDArray[np.int32],
    ends: NDArray[np.int64],
    tolerance: float,
    fineness: float,
) -> NDArray[np.bool_]:
    """Return which points are kept, by Douglas and Peucker 1973, if no other border is in between.

    A chord replaces a part of a chain if no other corner of a border lies between the two. This is
    tested on the true borders, so that the order does not matter. Still no two such chords cross:
    one would have to begin, or its true border to run, inside the area of the other.
    A chain keeps a point besides its ends, a ring three, so that no two of them become the same.
    A short chain is followed more closely, as small objects lose more of their area by chords, and
    a bend more closely than a ragged border, as all chords of a bend lie on its inner side.
    """
    kept = np.zeros(len(points), np.bool_)
    spans = np.empty((labels.shape[0] + 1, 2), np.float64)
    stack = np.empty((len(points) + 2, 3), np.int64)
    begin = 0
    for end in ends:
        kept[begin] = kept[end - 1] = True
        is_ring = (points[begin] == points[end - 1]).all()
        allowed = min(tolerance, fineness * _extent(points, begin, end))
        stack[0] = (begin, end - 1, 1 + is_ring)
        depth = 1
        while depth:
            depth -= 1
            first, last, forced = stack[depth]
            if last - first < 2:
                continue
            middle, distance_2 = _farthest(points, first, last)
            close = distance_2 <= allowed**2 and not forced
            close = close and _bias(points, first, last) <= BIAS * allowed
            if close and _is_free(labels, points, first, last, spans):
                continue
            kept[middle] = True
            stack[depth] = (first, middle, max(forced - 1, 0))
            stack[depth + 1] = (middle, last, max(forced - 1, 0))
            depth += 2
        begin = end
    return kept


@compiled
def _extent(points: NDArray[np.int32], begin: int, end: int) -> float:
    """Return the longer side of the box around a chain."""
    x_low = x_high = points[begin, 0]
    y_low = y_high = points[begin, 1]
    for k in range(begin + 1, end):
        x_low, x_high = min(x_low, points[k, 0]), max(x_high, points[k, 0])
        y_low, y_high = min(y_low, points[k, 1]), max(y_high, points[k, 1])
    return float(max(x_high - x_low, y_high - y_low))


@compiled
def _bias(points: NDArray[np.int32], first: int, last: int) -> float:
    """Return the area between a chain and its chord, with sign, over the chord's length."""
    x, y = points[first]
    area_2 = 0.0
    for k in range(first + 1, last):
        x_one, y_one = float(points[k, 0] - x), float(points[k, 1] - y)
        x_two, y_two = float(points[k + 1, 0] - x), float(points[k + 1, 1] - y)
        area_2 += x_one * y_two - x_two * y_one
    length = np.hypot(float(points[last, 0] - x), float(points[last, 1] - y))
    return float(abs(area_2) / 2 / max(length, 1.0))


@compiled
def _farthest(points: NDArray[np.int32], first: int, last: int) -> tuple[int, float]:
    """Return the point farthest from the chord, and the square of its distance."""
    (x, y), (x_last, y_last) = points[first], points[last]
    right, down = float(x_last - x), float(y_last - y)
    middle, largest = first, -1.0
    for k in range(first + 1, last):
        distance = _square_to_segment(float(points[k, 0] - x), float(points[k, 1] - y), right, down)
        if distance > largest:
            middle, largest = k, distance
    return middle, largest


@compiled
def _square_to_segment(x: float, y: float, right: float, down: float) -> float:
    """Return the squared distance from a point to the segment from (0, 0) to (right, down)."""
    length_2 = right * right + down * down
    along = min(max((x * right + y * down) / length_2, 0.0), 1.0) if length_2 else 0.0
    return (x - along * right) ** 2 + (y - along * down) ** 2


@compiled
def _is_free(
    labels: NDArray[np.uint8],
    points: NDArray[np.int32],
    first: int,
    last: int,
    spans: NDArray[np.float64],
) -> bool:
    """Return whether no other border lies between a part of a chain and its chord."""
    top, bottom = _span(points, first, last, spans)
    for y in range(top, min(bottom + 1, labels.shape[0])):
        low, high = spans[y]
        for x in range(np.ceil(low), np.floor(high) + 1):
            if _is_corner(labels, y, x) and _blocks(points, first, last, x, y):
                return False
    return True


@compiled
def _span(
    points: NDArray[np.int32], first: int, last: int, spans: NDArray[np.float64]
) -> tuple[int, int]:
    """Set the range of columns, in every row, of a part of a chain and its chord."""
    (x, y), (x_last, y_last) = points[first], points[last]
    top, bottom = points[first : last + 1, 1].min(), points[first : last + 1, 1].max()
    for row in range(top, bottom + 1):
        ends = (0.0, 1.0)
        if y != y_last:
            ends = ((row - CLEARANCE - y) / (y_last - y), (row + CLEARANCE - y) / (y_last - y))
        x_one = x + min(max(ends[0], 0.0), 1.0) * (x_last - x)
        x_two = x + min(max(ends[1], 0.0), 1.0) * (x_last - x)
        spans[row] = (min(x_one, x_two) - CLEARANCE, max(x_one, x_two) + CLEARANCE)
    for k in range(first, last):
        low, high = min(points[k, 1], points[k + 1, 1]), max(points[k, 1], points[k + 1, 1])
        for row in range(low, high + 1):
            spans[row, 0] = min(spans[row, 0], points[k, 0], points[k + 1, 0])
            spans[row, 1] = max(spans[row, 1], points[k, 0], points[k + 1, 0])
    return top, bottom


@compiled
def _blocks(points: NDArray[np.int32], first: int, last: int, x: int, y: int) -> bool:
    """Return whether a corner lies between a part of a chain and its chord, or near the chord."""
    between = False
    for k in range(first, last):
        (x_one, y_one), (x_two, y_two) = points[k], points[k + 1]
        if min(x_one, x_two) <= x <= max(x_one, x_two) and (
            min(y_one, y_two) <= y <= max(y_one, y_two)
        ):
            return False
        between ^= (y_one > y) != (y_two > y) and x_one > x
    (x_one, y_one), (x_two, y_two) = points[first], points[last]
    right, down = float(x_two - x_one), float(y_two - y_one)
    if (y_one > y) != (y_two > y):
        between ^= x_one + (y - y_one) * right / down > x
    near = _square_to_segment(float(x - x_one), float(y - y_one), right, down) < CLEARANCE**2
    return between or near


@compiled
def _is_corner(labels: NDArray[np.uint8], y: int, x: int) -> bool:
    """Return whether a border runs through the corner above row y, right of column x."""
    label = labels[y, x]
    return bool(
        labels[y - 1, x] != label or labels[y - 1, x + 1] != label or labels[y, x + 1] != label
    )
