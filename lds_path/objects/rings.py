"""The parts of a piece's border joined to rings.

Convention: points are (x, y), corners of pixels; outer rings run with a positive area.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

NUMBER = np.array([1, 2**32])
"""Weights that turn a point into one number."""


class Part(NamedTuple):
    """A chain between two pieces, in the direction that has the piece on its left."""

    points: NDArray[np.int32]
    begin: int
    """Its first point, as one number."""
    end: int
    begin_cut: bool
    """Whether it begins there only because of the upper edge of its strip."""
    end_cut: bool
    area_2: int
    """Twice what it adds to the area inside its ring."""

    def reversed(self) -> Part:
        """Return the part in the opposite direction."""
        return Part(
            self.points[::-1], self.end, self.begin, self.end_cut, self.begin_cut, -self.area_2
        )


def join_rings(
    parts: list[Part], min_hole_area: float
) -> tuple[list[NDArray[np.int64]], list[int]]:
    """Return the outer ring of a piece and its holes, and the pixels of each smaller hole."""
    shell, holes, filled = [], [], []
    for ring in _rings(parts):
        area_2 = sum(part.area_2 for part in ring)
        if area_2 > 0:
            shell.append(_corners(ring))
        elif -area_2 >= 2 * min_hole_area:
            holes.append(_corners(ring))
        else:
            filled.append(-area_2 // 2)
    return shell + holes, filled


def _rings(parts: list[Part]) -> Iterator[list[Part]]:
    """Yield the parts joined to rings, none of which passes a point twice."""
    leaving = defaultdict(list)
    for part in parts:
        leaving[part.begin].append(part)
    for start in list(leaving):
        point = start
        path: dict[int, Part] = {}  # which part leaves each point, in their order
        while path or leaving[point]:
            if point not in path:
                path[point] = leaving[point].pop()
                point = path[point].end
                continue
            ring = [path.popitem()[1]]
            while ring[-1].begin != point:
                ring.append(path.popitem()[1])
            yield ring[::-1]


def _corners(ring: list[Part]) -> NDArray[np.int64]:
    """Return the points of a ring, without those where strips meet on a straight border."""
    if len(ring) == 1:  # as of most objects
        return ring[0].points.astype(np.int64)
    points = np.concatenate([part.points[:-1] for part in ring]).astype(np.int64)
    cut = [part.begin_cut or ring[k - 1].end_cut for k, part in enumerate(ring)]
    if any(cut):
        joints = np.cumsum([0] + [len(part.points) - 1 for part in ring[:-1]])[cut]
        step = points[joints] - points[joints - 1]
        next_step = points[(joints + 1) % len(points)] - points[joints]
        straight = step[:, 0] * next_step[:, 1] == step[:, 1] * next_step[:, 0]
        points = np.delete(points, joints[straight], axis=0)
    return np.concatenate([points, points[:1]])
