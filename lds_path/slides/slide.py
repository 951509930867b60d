"""Any slide or plain image: its size, levels, microns per pixel, and fast reads of rectangles.

`slides.openslide_reader` reads what OpenSlide knows, `slides.tiff_reader` OME-TIFF and the TIFFs that OpenSlide does
not know, `slides.image_reader` PNG and JPEG.
"""

from __future__ import annotations

import math
import stat
import threading
from itertools import product
from typing import TYPE_CHECKING, Self

import numpy as np

from lds_path.errors import UnreadableSlideError
from lds_path.geometry import Size
from lds_path.slides.image_reader import WHITE, open_plain
from lds_path.slides.mpp import check_area, choose_mpp
from lds_path.slides.openslide_reader import open_vendor
from lds_path.slides.tiff_reader import is_ome_tiff, open_tiff
from lds_path.slides.tiled_reader import decode_own_tiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.slides.reader import LevelReader

PIECES = (1024, 256)
"""Edges of the pieces in which a rectangle that cannot be read whole is tried again."""
MAX_UNREADABLE_PERCENT = 20.0
MAX_PIXELS = 2**38
"""A slide of 25 x 75 mm at 0.1 um per pixel has fewer."""
MAX_MISFIT = 0.02
"""Share of its width or height, beyond rounding, by which a level may differ from a reduction."""
TIFF_MAGIC = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}


class Slide:
    """A slide cut to its bounds; any thread may read.

    Attributes
    ----------
    size
        Bounds rectangle in level-0 pixels.
    left_l0, top_l0
        Its corner on the whole slide.
    mpp, mpp_source
        Microns per level-0 pixel, and whether sheet, metadata or tags said so.
    level_sizes
        Size of the bounds rectangle at every level.
    level_downsamples
        Level-0 pixels per level pixel.
    level_aligned
        Whether a level is read without interpolation; others may lie off by half a level-0 pixel.
    """

    def __init__(
        self,
        path: Path,
        reader: LevelReader,
        *,
        mpp: float | None = None,
        max_unreadable_percent: float = MAX_UNREADABLE_PERCENT,
    ) -> None:
        chosen = choose_mpp(path, sheet=mpp, metadata=reader.metadata_mpp, tags=reader.tags_mpp)
        self.path = path
        self.mpp, self.mpp_source = chosen.value, chosen.source
        self.left_l0, self.top_l0, self.size = reader.bounds
        _check_pixels(path, self.size)
        check_area(path, self.size, chosen)
        self._levels = usable_levels(reader.level_sizes, reader.level_downsamples)
        self.level_downsamples = tuple(
            true_downsample(
                reader.level_sizes[0], reader.level_sizes[level], reader.level_downsamples[level]
            )
            for level in self._levels
        )
        self.level_sizes = tuple(
            _level_size(reader, level, downsample)
            for level, downsample in zip(self._levels, self.level_downsamples, strict=True)
        )
        self.level_aligned = tuple(
            reader.aligned[level]
            and self.left_l0 % downsample == 0
            and self.top_l0 % downsample == 0
            for level, downsample in zip(self._levels, self.level_downsamples, strict=True)
        )
        self.vendor = reader.vendor
        self.format = reader.format
        self.icc_profile = reader.icc_profile
        self.objective_power = reader.objective_power
        self._reader = reader
        self._max_unreadable_percent = max_unreadable_percent
        self._unreadable: list[set[tuple[int, int]]] = [set() for _ in self.level_sizes]
        self._lock = threading.Lock()

    @property
    def level_count(self) -> int:
        """Number of levels in the file."""
        return len(self.level_sizes)

    @property
    def unreadable_tiles(self) -> int:
        """Pieces of at most 256 x 256 pixels that could not be decoded and were read as white."""
        return sum(len(pieces) for pieces in self._unreadable)

    def read_region(self, level: int, left: int, top: int, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle of a level; white outside the slide and where it is damaged.

        Parameters
        ----------
        level
            Index of the level.
        left, top
            Corner in that level's pixels, from the bounds corner.
        size
            Extent in that level's pixels.

        Returns
        -------
        NDArray
            RGB, (H, W, 3), uint8; perhaps a read-only view.

        Raises
        ------
        UnreadableSlideError
            If more of the level turns out to be unreadable than the limit allows.
        """
        downsample = self.level_downsamples[level]
        x, y = self.left_l0 / downsample + left, self.top_l0 / downsample + top
        try:
            return self._reader.read(self._levels[level], x, y, size)
        except UnreadableSlideError:
            return self._read_pieces(level, left, top, size, PIECES)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_pieces(
        self, level: int, left: int, top: int, size: Size, edges: tuple[int, ...]
    ) -> NDArray[np.uint8]:
        """Return a rectangle read piece by piece, so that only damaged pieces stay white."""
        block = np.full((size.height, size.width, 3), WHITE, np.uint8)
        downsample = self.level_downsamples[level]
        x, y = self.left_l0 / downsample, self.top_l0 / downsample
        for piece_left, piece_top, piece in _pieces(left, top, size, edges[0]):
            try:
                pixels = self._reader.read(
                    self._levels[level], x + piece_left, y + piece_top, piece
                )
            except UnreadableSlideError:
                if len(edges) == 1:
                    self._note_unreadable(level, piece_left // edges[0], piece_top // edges[0])
                    continue
                pixels = self._read_pieces(level, piece_left, piece_top, piece, edges[1:])
            row, column = piece_top - top, piece_left - left
            block[row : row + piece.height, column : column + piece.width] = pixels
        return block

    def _note_unreadable(self, level: int, column: int, row: int) -> None:
        size = self.level_sizes[level]
        pieces = -(-size.width // PIECES[-1]) * -(-size.height // PIECES[-1])
        with self._lock:
            self._unreadable[level].add((column, row))
            percent = 100 * len(self._unreadable[level]) / pieces
        if percent > self._max_unreadable_percent:
            raise UnreadableSlideError(
                f"{self.path} is damaged: more than {self._max_unreadable_percent:g}% of its tiles"
                " cannot be decoded; copy it again from its source"
            )


def open_slide(
    path: Path,
    *,
    mpp: float | None = None,
    max_unreadable_percent: float = MAX_UNREADABLE_PERCENT,
) -> Slide:
    """Return a slide or plain image, open for reading.

    Parameters
    ----------
    path
        File of any format that OpenSlide reads, OME-TIFF, TIFF, PNG or JPEG.
    mpp
        Microns per level-0 pixel by the sample sheet; goes before what the file says.
    max_unreadable_percent
        Tiles of a level that may fail to decode and are read as white.

    Raises
    ------
    UnreadableSlideError
        If the file is missing, empty, damaged or of an unknown format.
    MissingMppError
        If neither sheet nor file say how large a pixel is.
    ImplausibleMppError
        If the pixel size that counts lies outside 0.05 to 50 um.
    UnsuitableSlideError
        If the pixels are not square.
    """
    reader = _open_reader(path)
    try:
        return Slide(path, reader, mpp=mpp, max_unreadable_percent=max_unreadable_percent)
    except BaseException:
        reader.close()
        raise


def true_downsample(full: Size, level: Size, stated: float) -> float:
    """Return the whole factor that explains a level's size, else the stated factor.

    Scanners halve and cut off the odd pixel, so a level of 2221 x 1783 pixels under one of
    4443 x 3567 is reduced by 2, although the sizes' quotient is 2.0005; one of 2 x 2 under 87 x 95
    is reduced by 32, although it is 45.5.
    """
    halvings = math.log2(stated)
    for whole in (2.0 ** math.floor(halvings), 2.0 ** round(halvings), float(round(stated))):
        misfit_x = abs(full.width / whole - level.width)
        misfit_y = abs(full.height / whole - level.height)
        if whole >= 1 and misfit_x < 1 and misfit_y < 1:
            return whole
    return stated


def usable_levels(sizes: Sequence[Size], downsamples: Sequence[float]) -> tuple[int, ...]:
    """Return the levels that are reductions of level 0, as their sizes tell."""
    full = sizes[0]

    def is_reduction(size: Size, downsample: float) -> bool:
        if not downsample > 1 - MAX_MISFIT:
            return False
        lengths = ((full.width, size.width), (full.height, size.height))
        return all(abs(a / downsample - b) <= max(1.5, MAX_MISFIT * b) for a, b in lengths)

    pairs = enumerate(zip(sizes, downsamples, strict=True))
    return tuple(level for level, pair in pairs if level == 0 or is_reduction(*pair))


def _check_pixels(path: Path, size: Size) -> None:
    if size.width * size.height > MAX_PIXELS:
        raise UnreadableSlideError(
            f"{path} claims {size.width} x {size.height} pixels, more than any scanner makes; the"
            " file is damaged, copy it again from its source"
        )


def _open_reader(path: Path) -> LevelReader:
    """Return the reader that knows the file."""
    magic = _magic(path)
    if magic in TIFF_MAGIC and is_ome_tiff(path):
        return open_tiff(path)
    slide = open_vendor(path)
    if slide is None:
        return open_tiff(path) if magic in TIFF_MAGIC else open_plain(path)
    return decode_own_tiles(path, slide) if magic in TIFF_MAGIC else slide


def is_regular(path: Path) -> bool:
    """Whether the path leads to a file: no folder, pipe or device, and something at all."""
    return stat.S_ISREG(_mode(path))


def _mode(path: Path) -> int:
    """Return the kind of a file, 0 if it cannot be told."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):  # missing, or a name that no file can have
        return 0


def _magic(path: Path) -> bytes:
    """Return the first bytes of a file that is there and not empty."""
    mode = _mode(path)
    if mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UnreadableSlideError(
            f"{path} is a pipe or a device, not a file; copy the slide to a file"
        )
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableSlideError(
            f"{path} cannot be opened ({reason}); check the path in slides.tsv"
        ) from None
    if not magic:
        raise UnreadableSlideError(f"{path} is empty; copy it again from its source")
    return magic


def _level_size(reader: LevelReader, level: int, downsample: float) -> Size:
    """Return the part of a level that shows the bounds rectangle, at least one pixel."""
    left, top, size = reader.bounds
    full = reader.level_sizes[level]
    if size == reader.level_sizes[0] and (left, top) == (0, 0):
        return full
    return Size(
        max(min(round(size.width / downsample), full.width), 1),
        max(min(round(size.height / downsample), full.height), 1),
    )


def _pieces(left: int, top: int, size: Size, edge: int) -> Iterator[tuple[int, int, Size]]:
    """Cut a rectangle at the multiples of an edge: left, top and size of each piece."""
    rows = range(top // edge, -(-(top + size.height) // edge))
    columns = range(left // edge, -(-(left + size.width) // edge))
    for row, column in product(rows, columns):
        piece_left, piece_top = max(left, column * edge), max(top, row * edge)
        right = min(left + size.width, (column + 1) * edge)
        bottom = min(top + size.height, (row + 1) * edge)
        yield piece_left, piece_top, Size(right - piece_left, bottom - piece_top)
