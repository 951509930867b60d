"""The connected pieces of a label image, as polygons.

Convention: (x, y), pixel areas: pixel (row, column) is the square from (column, row) to
(column + 1, row + 1). Pixels are joined over their edges, not over their corners, so that every
polygon is valid.

GDAL's polygons with GEOS's simplification of coverages take over ten times the time, and the
whole image in memory, and do not bound the deviation: see "Tracing" in docs/speed.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lds_path.geometry import Size
from lds_path.objects.chains import Strip, trace_strip
from lds_path.objects.rings import NUMBER, Part, join_rings
from lds_path.objects.simplify import FINENESS
from lds_path.read_ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

STRIP = 512
"""Maximum number of rows traced at a time: a row of tiles of the label image."""
_STRIP_PIXELS = 2**23
_MAX_LOOSE_PARTS = 64
"""Maximum number of parts of an unfinished piece that are kept as separate arrays."""


def _zeros() -> NDArray[np.int64]:
    return np.zeros(256, np.int64)


class Piece(NamedTuple):
    """Connected pixels of one label."""

    value: int
    area: int
    """Pixels, before the outline is simplified and holes are filled."""
    rings: list[NDArray[np.int64]]
    """(N, 2) each, closed: the outer one, then the holes. They touch at corners at most."""


@dataclass
class LeftOut:
    """What is too small to be traced: counts and pixels of each label, (256,)."""

    pieces: NDArray[np.int64] = field(default_factory=_zeros)
    piece_pixels: NDArray[np.int64] = field(default_factory=_zeros)
    holes: NDArray[np.int64] = field(default_factory=_zeros)
    """Filled, by the label of the piece around them."""
    hole_pixels: NDArray[np.int64] = field(default_factory=_zeros)


def trace_labels(
    read_strip: Callable[[int, Size], NDArray[np.uint8]],
    size: Size,
    *,
    tolerance: float = 0.0,
    fineness: float = FINENESS,
    min_area: float = 0.0,
    min_hole_area: float = 0.0,
    height: int | None = None,
    threads: int = 1,
    left_out: LeftOut | None = None,
) -> Iterator[Piece]:
    """Yield every connected piece of a label image.

    The outlines cover what the pieces cover: where two pieces meet they share the same points,
    so that there are no overlaps and no gaps, however much is simplified. An outline keeps a
    point where it crosses from one strip to the next, unless it is straight there.

    Memory holds a few strips, and the outlines of pieces that continue in the next one.

    Parameters
    ----------
    read_strip
        Called with top and size, from top to bottom; returns the labels there, (height, width).
        0 is no piece.
    size
        Extent of the image.
    tolerance
        Pixels that an outline may lie from the edge of the labels; 0 keeps every corner.
    fineness
        The same as a fraction of the extent of each border between two pieces.
    min_area, min_hole_area
        Pixels; smaller pieces are left out, smaller holes are filled.
    height
        Rows of a strip; by default those of a few million pixels.
    threads
        Strips traced at the same time; the pieces do not depend on them.
    left_out
        Counts what is left out and filled; complete when the last piece has been yielded.
    """
    left_out = LeftOut() if left_out is None else left_out
    upper: dict[int, _Outline] = {}
    last = np.zeros(0, np.int32)
    strips = _read_strips(read_strip, size, height or strip_height(size.width))
    traced = read_ahead(
        lambda strip: trace_strip(strip[1], top=strip[0], tolerance=tolerance, fineness=fineness),
        strips,
        threads=threads,
        ahead=threads,
    )
    for traced_strip in traced:
        strip = traced_strip.join(last)
        upper, done = _continue(upper, last, strip, min_area, left_out)
        last = strip.last
        for outline in done:
            rings, filled = join_rings(outline.all_parts(), min_hole_area)
            left_out.holes[outline.value] += len(filled)
            left_out.hole_pixels[outline.value] += sum(filled)
            yield Piece(outline.value, outline.area, rings)


def strip_height(width: int) -> int:
    """Return the rows of a strip of about 2**23 pixels, a fraction of 512."""
    rows = max(_STRIP_PIXELS // max(width, 1), 32)
    return int(min(2 ** int(np.log2(rows)), STRIP))


def _read_strips(
    read_strip: Callable[[int, Size], NDArray[np.uint8]], size: Size, height: int
) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield the top of each strip, and its labels in a frame as `trace_strip` takes them."""
    row = np.zeros(size.width, np.uint8)
    for top in range(0, size.height, height):
        below = min(top + height, size.height)
        closed = below == size.height  # by a row of background below
        labels = np.zeros((1 + below - top + closed, 1 + size.width + 1), np.uint8)
        labels[0, 1:-1] = row
        labels[1 : 1 + below - top, 1:-1] = read_strip(top, Size(size.width, below - top))
        row = labels[-1, 1:-1].copy()
        yield top, labels


class _Bundle(NamedTuple):
    """Parts as a few arrays, in a tenth of the memory of separate short arrays."""

    points: NDArray[np.int32]
    """Of all parts, one after another."""
    ends: NDArray[np.int64]
    """Where the points of each part end."""
    cuts: NDArray[np.bool_]
    """(parts, 2), begin and end."""
    areas_2: NDArray[np.int64]

    @classmethod
    def of(cls, parts: list[Part]) -> _Bundle:
        return cls(
            np.concatenate([part.points for part in parts]),
            np.cumsum([len(part.points) for part in parts]),
            np.array([(part.begin_cut, part.end_cut) for part in parts]),
            np.array([part.area_2 for part in parts]),
        )

    def parts(self) -> Iterator[Part]:
        """Yield the parts again."""
        begin = 0
        for end, (begin_cut, end_cut), area_2 in zip(
            self.ends.tolist(), self.cuts.tolist(), self.areas_2.tolist(), strict=True
        ):
            points = self.points[begin:end]
            first, last = (points[[0, -1]] @ NUMBER).tolist()
            yield Part(points, first, last, begin_cut, end_cut, area_2)
            begin = end


@dataclass
class _Outline:
    """The part of a piece that has been traced so far."""

    value: int
    area: int
    bundles: list[_Bundle] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    """Those traced after the bundles."""

    def take(self, other: _Outline) -> None:
        """Add the parts of the same piece above."""
        if other._count() > self._count():
            self.bundles, other.bundles = other.bundles, self.bundles
            self.parts, other.parts = other.parts, self.parts
        if other.bundles:
            self.bundle(0)
            self.bundles += other.bundles
        self.parts += other.parts

    def bundle(self, more_than: int) -> None:
        """Bundle the parts if there are more than this number."""
        if len(self.parts) > more_than:
            self.bundles.append(_Bundle.of(self.parts))
            self.parts = []

    def all_parts(self) -> list[Part]:
        """Return the parts in the order in which they were traced."""
        return [part for bundle in self.bundles for part in bundle.parts()] + self.parts

    def _count(self) -> int:
        return sum(bundle.ends.size for bundle in self.bundles) + len(self.parts)


def _continue(
    upper: dict[int, _Outline],
    last: NDArray[np.int32],
    strip: Strip,
    min_area: float,
    left_out: LeftOut,
) -> tuple[dict[int, _Outline], list[_Outline]]:
    """Return the outlines that continue below the strip, and those complete and large enough."""
    joins = np.unique(np.stack([last, strip.first]), axis=1)
    joins = joins[:, joins[0] >= 0]
    areas = strip.areas.copy()
    np.add.at(areas, joins[1], [upper[above].area for above in joins[0].tolist()])
    continues = np.zeros(areas.size, np.bool_)
    continues[strip.last[strip.last >= 0]] = True
    needed = continues | (areas >= min_area)
    np.add.at(left_out.pieces, strip.values[~needed], 1)
    np.add.at(left_out.piece_pixels, strip.values[~needed], areas[~needed])
    outlines = {
        piece: _Outline(int(strip.values[piece]), int(areas[piece]))
        for piece in np.flatnonzero(needed).tolist()
    }
    for above, below in joins.T.tolist():
        if needed[below]:
            outlines[below].take(upper[above])
    _distribute(outlines, needed, strip)
    unfinished = {piece: outline for piece, outline in outlines.items() if continues[piece]}
    for outline in unfinished.values():
        outline.bundle(_MAX_LOOSE_PARTS)
    done = [outline for piece, outline in outlines.items() if not continues[piece]]
    return unfinished, done


def _distribute(outlines: dict[int, _Outline], needed: NDArray[np.bool_], strip: Strip) -> None:
    """Give every chain to the pieces on both its sides."""
    wanted = np.append(needed, False)[strip.sides]  # -1 is background
    chains = np.flatnonzero(wanted.any(axis=1))
    begins, ends = np.append(0, strip.ends[:-1])[chains], strip.ends[chains]
    numbers = strip.points @ NUMBER
    columns = (begins, ends, numbers[begins], numbers[ends - 1], strip.areas_2[chains])
    for (begin, end, first, last, area_2), (begin_cut, end_cut), sides, is_wanted in zip(
        np.stack(columns, axis=1).tolist(),
        strip.cuts[chains].tolist(),
        strip.sides[chains].tolist(),
        wanted[chains].tolist(),
        strict=True,
    ):
        part = Part(strip.points[begin:end].copy(), first, last, begin_cut, end_cut, area_2)
        if is_wanted[0]:
            outlines[sides[0]].parts.append(part)
        if is_wanted[1]:
            outlines[sides[1]].parts.append(part.reversed())
