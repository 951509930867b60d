"""OME-Zarr 0.4 and 0.5 as slides: folders of chunks that bioformats2raw, QuPath and others write."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache, partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from lds_path.errors import UnreadableSlideError
from lds_path.geometry import Rectangle, Size
from lds_path.remote.address import RemotePath
from lds_path.slides.images import choose_image
from lds_path.slides.reader import Level, LostTilesError, SlideDescription
from lds_path.slides.readers.image import WHITE
from lds_path.slides.readers.lost_tiles import lacking_levels, tiles_below
from lds_path.slides.readers.zarr_store.metadata import read_attributes
from lds_path.slides.readers.zarr_store.ngff import find_images, open_ngff
from lds_path.slides.tiff_check import DECODE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from lds_path.remote.address import SlidePath
    from lds_path.slides.probe import Probe
    from lds_path.slides.readers.zarr_store.ngff import NgffImage, NgffLevel

CACHE_BYTES = 2**26
"""Of decoded chunks: windows may be smaller than these, and share them."""
MAX_SHIFT = 0.5
"""Of its own pixels, by which a level may begin beside level 0: the middles of means of pixels."""
ASKING_THREADS = 16
"""Chunks that are asked for at a time from a server: the answer takes longer than the transfer."""


class OmeZarrReader:
    """An image of an OME-Zarr store; any thread may read."""

    def __init__(
        self, path: SlidePath, levels: Sequence[NgffLevel], description: SlideDescription
    ) -> None:
        self.description = description
        self._path, self._levels = path, levels
        largest = max(math.prod(level.array.chunks) for level in levels)
        self._chunk = lru_cache(max(CACHE_BYTES // largest, 1))(self._read_chunk)

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3), white outside.

        Chunks without a file show the fill value, as Zarr has it.

        Raises
        ------
        LostTilesError
            If level 0 has no file for a chunk: it was lost, or there is nothing to store. On a
            server, also if a level has none although the next finer one has some there.
        UnreadableSlideError
            If a chunk is damaged.
        RemoteError
            If a server cannot be reached or refuses.
        """
        source, window = self._levels[level], Rectangle(round(left), round(top), size)
        block = np.full((size.height, size.width, 3), WHITE, np.uint8)
        lost = np.zeros(block.shape, np.bool_)
        cells = product(window.clipped(source.size).cells(source.tile), source.parts)
        for (column, row), part, pixels in self._read_chunks(level, cells):
            place = Rectangle(column * source.tile.width, row * source.tile.height, source.tile)
            shown = place.intersection(window).clipped(source.size)
            target = (*shown.seen_from(window.left, window.top).slices, part)
            if pixels is None:
                block[target] = source.array.fill
                lost[target] = self._is_lost(level, part.start, row, column)
            else:
                inner = shown.seen_from(place.left, place.top).slices
                block[target] = pixels[(*inner, slice(part.stop - part.start))]
        if lost.any():
            message = f"{self._path} has chunks without a file; copy it again from its source"
            raise LostTilesError(message, block, lost)
        return block

    def close(self) -> None:
        """Release the chunks."""
        self._chunk.cache_clear()

    def _read_chunks(
        self, level: int, cells: Iterable[tuple[tuple[int, int], slice]]
    ) -> Iterator[tuple[tuple[int, int], slice, NDArray[np.uint8] | None]]:
        """Yield (column, row), channels and pixels of chunks; those on a server side by side."""
        places = list(cells)
        read = partial(self._chunk, level)
        chunks = [(part.start, row, column) for (column, row), part in places]
        if not isinstance(self._path, RemotePath) or len(places) == 1:
            found = map(read, *zip(*chunks, strict=True)) if chunks else iter(())
            yield from ((*place, pixels) for place, pixels in zip(places, found, strict=True))
            return
        with ThreadPoolExecutor(ASKING_THREADS) as pool:
            found = pool.map(read, *zip(*chunks, strict=True))
            yield from ((*place, pixels) for place, pixels in zip(places, found, strict=True))

    def _is_lost(self, level: int, channel: int, row: int, column: int) -> bool:
        """Return whether a chunk without a file may have been lost.

        Of a store on a disk, levels that lost files are not used. What is on a server is not listed.
        """
        if level == 0 or not isinstance(self._path, RemotePath):
            return level == 0
        source, finer = self._levels[level], self._levels[level - 1]
        at = row * source.tile.height // source.stored.height
        beside = column * source.tile.width // source.stored.width
        rows, columns = tiles_below(source, finer, at, beside)
        places = product(range(rows.start, rows.stop), range(columns.start, columns.stop))
        return any(finer.has_file(channel, *place) for place in places)

    def _read_chunk(
        self, level: int, channel: int, row: int, column: int
    ) -> NDArray[np.uint8] | None:
        """Return a chunk, (H, W, channels), None where there is no file."""
        try:
            return self._levels[level].read_chunk(channel, row, column)
        except DECODE_ERRORS as error:
            raise UnreadableSlideError(
                f"{self._path} has a damaged chunk ({error}); copy it again from its source"
            ) from None


def open_ome_zarr(probe: Probe) -> OmeZarrReader | None:
    """Return the largest image of an OME-Zarr store; None for another folder, or a file.

    Raises
    ------
    UnreadableSlideError
        If it is damaged, of another version, or its pixels are not 8-bit RGB.
    UnsuitableSlideError
        If it holds several images that may be meant, planes, or channels that are no colours.
    """
    path = probe.path
    attributes = read_attributes(path) if probe.is_folder else None
    if attributes is None:
        return None
    chosen, others = choose_image(path, find_images(path, attributes), probe.scene)
    image = open_ngff(path, chosen)
    levels = _usable_levels(image)
    description = replace(_describe(image, levels), image_number=chosen.number, other_images=others)
    return OmeZarrReader(path, levels, description)


def _usable_levels(image: NgffImage) -> list[NgffLevel]:
    """Return level 0 and those that begin where it does and lost no file."""
    full = image.levels[0]
    placed = [level for level in image.levels if _is_in_place(level, full)]
    if isinstance(full.array.folder, RemotePath):
        return placed
    try:
        lacking = lacking_levels(placed)
    except OSError:  # a folder of chunks that cannot be listed
        lacking = set(range(1, len(placed)))
    return [level for index, level in enumerate(placed) if index not in lacking]


def _is_in_place(level: NgffLevel, full: NgffLevel) -> bool:
    shifts = zip(level.shift, full.shift, level.scale, strict=True)
    return all(abs(a - b) <= MAX_SHIFT * pixel for a, b, pixel in shifts)


def _describe(image: NgffImage, levels: Sequence[NgffLevel]) -> SlideDescription:
    full = levels[0]
    described = tuple(
        Level(
            index,
            level.size,
            sum(a / b for a, b in zip(level.scale, full.scale, strict=True)) / 2,
            aligned=True,
            tile=None if index else level.tile,  # no level is filled up to whole chunks
        )
        for index, level in enumerate(levels)
    )
    return SlideDescription(
        format="OME-Zarr",
        levels=described,
        bounds_l0=Rectangle.whole(full.size),
        metadata_mpp=image.mpp,
    )
