"""Levels that the scanner wrote, used for those of the pyramid where they show the same.

A scanner may have reduced a level by another filter, shifted it, compressed it strongly, lost its
tiles or put them in the wrong place. So a level counts only if windows of it match what is computed from
the working pixels, and each part of it only if a coarser level shows the same. What compression added is taken
from it first, as far as a small filter that is fitted to these windows can.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lds_path.formats.pyramid import CHUNK
from lds_path.formats.slide_pixels.level_reader import reduce_pixels, touched_pixels
from lds_path.formats.slide_pixels.source import Source
from lds_path.geometry import Rectangle, Size
from lds_path.pixels.detail_filter import filter_detail, fit_detail_filter

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lds_path.formats.slide_pixels.level_reader import LevelReader
    from lds_path.slides.slide import Slide

WINDOWS, WINDOW = 16, 64
"""Windows that are compared with computed ones, and their edge."""
ROUNDING = 1.0
"""Root mean square difference, grey values, that says nothing."""
TOLERANCE = 0.45
"""A larger difference must be at most this fraction of that after a shift by half a pixel."""
MAX_BIAS = 2.0
"""Difference of the means, grey values."""
BLOCK = 16
"""Edge of the blocks whose means are compared with a coarser level."""
MAX_RATIO = 8.0
"""A level that confirms another is at most this many times coarser."""
WRONG = 8.0
"""Mean difference of the blocks of a chunk, grey values, beyond which one of two levels is wrong."""
_SAFE_BLOCK = 257
"""Rows of bytes, at most, whose sums are numbers of 16 bits."""


@dataclass(frozen=True)
class ScannerLevel:
    """A level of the slide that gives a level of the pyramid, and a coarser one that confirms it."""

    slide: Slide
    source: Source
    witness: Source
    weights: NDArray[np.int32] | None = None
    """Of the filter that takes from it what compression added, see `fit_detail_filter`."""

    def read(self, window: Rectangle) -> NDArray[np.uint8] | None:
        """Return a rectangle, (3, H, W), filtered, None if a part of it is unreadable."""
        planes = _read(self.slide, self.source, window)
        if planes is None or self.weights is None:
            return planes
        return filter_detail(planes, self.weights)

    @property
    def filter_weights(self) -> tuple[int, ...]:
        """The weights of the filter one after the other; empty if there is none."""
        return () if self.weights is None else tuple(self.weights.ravel().tolist())

    def wrong_chunks(
        self, planes: NDArray[np.uint8], window: Rectangle, chunk: int
    ) -> NDArray[np.bool_]:
        """Return the chunks in which a coarser level shows something else.

        Parameters
        ----------
        planes
            What `read` returned.
        window
            In pixels of the pyramid's level; its corner lies on a chunk.
        chunk
            Edge of a chunk in these pixels.

        Returns
        -------
        NDArray
            (rows, columns); all of them if the coarser level is unreadable there.
        """
        rows, columns = -(-window.size.height // chunk), -(-window.size.width // chunk)
        block = min(BLOCK, chunk)
        whole = Size(columns * chunk // block, rows * chunk // block)
        coarse = Rectangle(window.left // block, window.top // block, whole)
        found = _read_means(self.slide, self.witness, coarse, block)
        if found is None:
            return np.ones((rows, columns), np.bool_)
        difference = np.abs(_block_means(planes, whole, block) - found).mean(axis=0)
        per_chunk = chunk // block
        chunks = difference.reshape(rows, per_chunk, columns, per_chunk).mean(axis=(1, 3))
        wrong: NDArray[np.bool_] = chunks > WRONG
        return wrong


def find_scanner_level(
    reader: LevelReader,
    level: int,
    glass_chunks: NDArray[np.bool_] | None,
    tolerance: float = TOLERANCE,
) -> ScannerLevel | None:
    """Return the coarsest level of the slide that gives a level of its pyramid; None if none does.

    Parameters
    ----------
    reader
        Computes the pyramid's levels.
    level
        Level of the pyramid.
    glass_chunks
        Chunks of working pixels that are known to be glass: nothing is compared there.
    tolerance
        Largest difference, as a share of that from computed pixels half a pixel aside.
    """
    windows = _windows(reader.size, level, glass_chunks)
    for candidate in _candidates(reader, level):
        if found := _prove(reader, candidate, level, windows, tolerance):
            return found
    return None


def _prove(
    reader: LevelReader,
    found: ScannerLevel,
    level: int,
    windows: Sequence[Rectangle],
    tolerance: float,
) -> ScannerLevel | None:
    """Return a scanner's level, filtered if need be, if it shows what is computed from the working pixels.

    Their difference must be small compared to that from computed pixels half a pixel aside. What that
    costs in Dice is in docs/speed.md.

    Parameters
    ----------
    reader, found, level
        What computes the level of the pyramid, what may replace it, and its number.
    windows
        In pixels of that level, one pixel or more from its edges.
    tolerance
        Largest difference, as a share of that from computed pixels half a pixel aside.
    """
    step = 2 ** (level - 1)
    shifts = [(0, 0), (step, 0), (-step, 0), (0, step), (0, -step)]
    shown, computed = [], []
    for window in windows:
        planes = found.read(window)
        if planes is None or found.wrong_chunks(planes, window, WINDOW).any():
            continue  # such parts are computed
        shown.append(planes)
        computed.append(list(_computed(reader, level, window, shifts)))
    if not shown:
        return None
    right = [shifted[0] for shifted in computed]
    bias = np.concatenate([(a - b).ravel() for a, b in zip(shown, right, strict=True)]).mean()
    if abs(bias) > MAX_BIAS:
        return None
    if _difference(shown, right) <= ROUNDING:
        return found
    weights = fit_detail_filter(shown, right)
    filtered = [filter_detail(planes, weights) for planes in shown]
    error, *others = (
        _difference(filtered, [shifted[number] for shifted in computed])
        for number in range(len(shifts))
    )
    is_alike = error <= max(ROUNDING, tolerance * min(others))
    return replace(found, weights=weights) if is_alike else None


def _difference(
    shown: Sequence[NDArray[np.uint8]], computed: Sequence[NDArray[np.float32]]
) -> float:
    """Return the root mean square difference of windows, grey values."""
    squares = sum(float(np.square(a - b).sum()) for a, b in zip(shown, computed, strict=True))
    return float((squares / sum(planes.size for planes in shown)) ** 0.5)


def _candidates(reader: LevelReader, level: int) -> Iterator[ScannerLevel]:
    """Yield the levels that are whole, lie on the pyramid's pixels, and have a coarser one."""
    slide, base = reader.slide, reader.source
    downsample = base.downsample * 2**level
    size = Size(*(-(-side // 2**level) for side in (reader.size.width, reader.size.height)))
    sources = [
        Source(index, _whole(downsample / found.downsample), downsample)
        for index, found in enumerate(slide.levels)
        if index > base.level and found.aligned
    ]
    for number, source in reversed(list(enumerate(sources))):
        wanted = slide.levels[source.level].size
        missing = max(
            size.width * source.pitch - wanted.width, size.height * source.pitch - wanted.height
        )
        if source.pitch < 1 or missing >= source.pitch + 1:
            continue
        for witness in sources[number + 1 :]:
            if witness.pitch * MAX_RATIO >= 1:
                yield ScannerLevel(slide, source, witness)
                break


def _whole(pitch: float) -> float:
    """Return a pitch without what arithmetic adds to a whole number."""
    return float(round(pitch)) if abs(pitch - round(pitch)) < 1e-6 else pitch


def _windows(size: Size, level: int, glass_chunks: NDArray[np.bool_] | None) -> list[Rectangle]:
    """Return windows of a level, evenly spread over the chunks that are not known to be glass."""
    chunk = CHUNK >> level
    rows, columns = -(-size.height // CHUNK), -(-size.width // CHUNK)
    shown = np.ones((rows, columns), np.bool_) if glass_chunks is None else ~glass_chunks
    inner = Rectangle.between(1, 1, (size.width >> level) - 1, (size.height >> level) - 1)
    places = np.argwhere(shown)
    chosen = places[np.linspace(0, len(places) - 1, min(WINDOWS, len(places))).astype(int)]
    corners = (
        Rectangle(column * chunk, row * chunk, Size(WINDOW, WINDOW)).intersection(inner)
        for row, column in chosen.tolist()
    )
    return [window for window in corners if not window.is_empty]


def _computed(
    reader: LevelReader, level: int, window: Rectangle, shifts: Sequence[tuple[int, int]]
) -> Iterator[NDArray[np.float32]]:
    """Yield a window of a level computed from working pixels, moved by some of these."""
    factor = 2**level
    around = window.grown(1)
    fine = Rectangle(
        around.left * factor,
        around.top * factor,
        Size(around.size.width * factor, around.size.height * factor),
    )
    planes = reader.read(0, fine)
    height, width = window.size.height * factor, window.size.width * factor
    for x, y in shifts:
        part = planes[:, factor + y : factor + y + height, factor + x : factor + x + width]
        yield _block_means(part, window.size, factor)


def _block_means(planes: NDArray[np.uint8], size: Size, block: int) -> NDArray[np.float32]:
    """Return the means of blocks, (3, size.height, size.width); the last pixels are repeated."""
    planes = _filled(planes, Size(size.width * block, size.height * block))
    rows = planes.reshape(3, size.height, block, size.width * block)
    # Rows first, and whole numbers: six times as fast as `mean` over both axes, and exact.
    sums = rows.sum(axis=2, dtype=np.uint16 if block <= _SAFE_BLOCK else np.uint64)
    starts = np.arange(0, size.width * block, block)
    blocks = np.add.reduceat(sums, starts, axis=2, dtype=np.uint64)
    means: NDArray[np.float32] = (blocks / np.float32(block**2)).astype(np.float32)
    return means


def _read_means(
    slide: Slide, source: Source, window: Rectangle, block: int
) -> NDArray[np.float32] | None:
    """Return the means of blocks of reduced pixels, (3, H, W), None if a part is unreadable.

    Parameters
    ----------
    slide, source
        What the pixels are read from; they may be smaller than those of the level.
    window
        In blocks.
    block
        Reduced pixels along the edge of a block.
    """
    pitch = _whole(source.pitch * block)
    if pitch != int(pitch):
        planes = _read(slide, Source(source.level, pitch, 0), window)
        return None if planes is None else planes.astype(np.float32)
    edge = int(pitch)
    below = Rectangle.between(
        window.left * edge, window.top * edge, window.right * edge, window.bottom * edge
    )
    planes = _read(slide, Source(source.level, 1.0, 0), below)
    return None if planes is None else _block_means(planes, window.size, edge)


def _read(slide: Slide, source: Source, window: Rectangle) -> NDArray[np.uint8] | None:
    """Return reduced pixels of a level, (3, H, W), None if a part of them is unreadable.

    The last pixels are repeated where the level ends before the pyramid's does.
    """
    touched, left, top = touched_pixels(slide, source, window)
    if touched.is_empty:
        return None
    pixels = slide.peek(source.level, touched)
    if pixels is None:
        return None
    planes = reduce_pixels(pixels, window.size, source.pitch, left, top)
    return _filled(planes, window.size)


def _filled(planes: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
    """Return planes filled up to a size by their last pixels."""
    pad = ((0, 0), (0, size.height - planes.shape[1]), (0, size.width - planes.shape[2]))
    return np.pad(planes, pad, mode="edge") if any(after for _, after in pad) else planes
