"""Blocks of a slide as they are stored: from the scanner's own levels where these are good, without glass."""

from __future__ import annotations

from copy import copy
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from lds_path.formats.pyramid import CHUNK
from lds_path.geometry import Rectangle, Size
from lds_path.pixels.glass import CELL, is_glass
from lds_path.quality.known_glass import find_glass
from lds_path.quality.scanner_level import TOLERANCE, find_scanner_level

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.formats.slide_pixels.level_reader import LevelReader
    from lds_path.pixels.glass import Color

WHITE = 255
SCANNED_EDGE = 1024
"""A level that the scanner wrote is read in squares of this edge."""


class BlockReader:
    """Reads blocks of the finest level that is stored, with glass replaced by the background."""

    def __init__(
        self,
        reader: LevelReader,
        finest: int,
        tolerance: float = TOLERANCE,
        *,
        threads: int = 1,
    ) -> None:
        slide, source = reader.slide, reader.source
        self.reader, self.tolerance = reader, tolerance
        self.glass, self.glass_chunks = find_glass(
            slide, source.level, source.downsample, threads=threads
        )
        self.background = WHITE if self.glass is None else round(sum(self.glass) / 3)
        self._choose_level(finest)

    def _choose_level(self, level: int) -> None:
        self.finest = level
        self.chunk = CHUNK >> level
        self.scanned = None
        if level:
            self.scanned = find_scanner_level(self.reader, level, self.glass_chunks, self.tolerance)
        self.edge = self.reader.edge(level)
        if self.scanned is not None:
            self.edge = max(SCANNED_EDGE, self.edge)

    def at_level(self, level: int) -> BlockReader:
        """Return a reader of another level."""
        other = copy(self)
        other._choose_level(level)
        return other

    def read_block(self, left: int, top: int, size: Size) -> NDArray[np.uint8] | None:
        """Return pixels of the level, (3, H, W), or None if all are glass.

        The corner must lie on a chunk.
        """
        block: NDArray[np.uint8] | None = None
        for piece in Rectangle.whole(size).pieces(self.edge):
            on_slide = piece.seen_from(-left, -top)
            if self._known_glass(on_slide):
                continue
            if block is None:
                block = np.full((3, size.height, size.width), self.background, np.uint8)
            block[:, *piece.slices] = self._read_piece(on_slide)
        if block is not None and self.glass is not None:
            self._flatten_glass(block, self.glass)
        return block

    def _known_glass(self, piece: Rectangle) -> bool:
        """Whether coarse levels show glass in all chunks of a piece."""
        if self.glass_chunks is None:
            return False
        return bool(self.glass_chunks[piece.reduced(self.chunk).slices].all())

    def _read_piece(self, piece: Rectangle) -> NDArray[np.uint8]:
        """Return a piece of the scanner's level, where it shows the slide; else it is computed."""
        planes = None if self.scanned is None else self.scanned.read(piece)
        if self.scanned is None or planes is None:
            return self.reader.read(self.finest, piece)
        wrong = self.scanned.wrong_chunks(planes, piece, self.chunk)
        computed: NDArray[np.uint8] | None = None
        for row, column in np.ndindex(wrong.shape):
            corner = Rectangle(column * self.chunk, row * self.chunk, Size(self.chunk, self.chunk))
            place = corner.clipped(piece.size)
            chunk = place.seen_from(-piece.left, -piece.top)
            if wrong[row, column] or self._is_new_glass(planes[:, *place.slices], chunk):
                computed = planes.copy() if computed is None else computed
                computed[:, *place.slices] = self.reader.read(self.finest, chunk)
        return planes if computed is None else computed

    def _is_new_glass(self, planes: NDArray[np.uint8], chunk: Rectangle) -> bool:
        """Whether only the scanner's level shows nothing in a chunk, perhaps because it was lost."""
        if self.glass is None:
            return bool((planes == WHITE).all())
        return not self._known_glass(chunk) and is_glass(planes, self.glass, cell=self._cell)

    @property
    def _cell(self) -> int:
        return max(CELL >> self.finest, 1)

    def _flatten_glass(self, block: NDArray[np.uint8], color: Color) -> None:
        """Fill every chunk of a block that shows only glass with the background, in place."""
        _, height, width = block.shape
        edge = self.chunk
        for top, left in product(range(0, height, edge), range(0, width, edge)):
            chunk = block[:, top : top + edge, left : left + edge]
            if is_glass(chunk, color, cell=self._cell):
                chunk[:] = self.background
