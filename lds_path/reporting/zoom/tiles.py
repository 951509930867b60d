"""Tiles of the slide and of its labels, at the levels of the pyramid and of the label image.

Level 0 of the tiles is the finest that is written. Column and row of a tile name its file. Tiles that
show only glass, or no label, are not written.
"""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
from PIL import Image

from lds_path.formats.pyramid import CHUNK, SHARD
from lds_path.geometry import Rectangle, Size
from lds_path.read_ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass
    from lds_path.formats.labels.label_images import Labels
    from lds_path.formats.pyramid import Pyramid

    Encode = Callable[[NDArray[np.uint8]], bytes]

TILE = CHUNK
"""Side of a tile: that of the chunks of the pyramid and of the tiles of the label image."""
QUALITY = 70
"""Of the JPEG tiles."""
_PNG_LEVEL = 5
"""Labels are 5 % larger than at level 6, in 0.6 of the time."""
MAX_PIXELS = 2**27
"""Most pixels of tissue in the finest level: with more, a coarser level is the finest.

Dense tissue takes about 0.33 bytes a pixel, and all coarser levels a third of it: 60 MB."""
_SURVEY = 2048
"""Longer side of the level in which tissue is counted."""
_FINEST_CELL = 9
"""A tile is 2**9 pixels."""


@dataclass(frozen=True)
class TileLevel:
    """One level of tiles."""

    width: int
    """Pixels, as height."""
    height: int
    tiles: str
    """Which tiles there are: a bit each, row by row, the highest bit of a byte first; Base64."""


def finest_level(pyramid: Pyramid, mpp: float) -> int:
    """Return the level of a pyramid that becomes the finest of its tiles.

    It is the one whose pixels are nearest to a size, or a coarser one if that has more than
    `MAX_PIXELS` in tiles with tissue.
    """
    level = pyramid.level_near(mpp)
    while level + 1 < pyramid.level_count and _count_pixels(pyramid, level) > MAX_PIXELS:
        level += 1
    return level


def write_slide_tiles(
    pyramid: Pyramid, first: int, folder: Path, *, threads: int = 1
) -> list[TileLevel]:
    """Write the levels of a pyramid from one level on as JPEG, `<level>/<column>_<row>.jpg`.

    Memory holds a shard for each thread.
    """
    levels = []
    for number, level in enumerate(range(first, pyramid.level_count)):
        read = partial(pyramid.read, level)
        encode = partial(encode_jpeg, background=pyramid.background)
        place = folder / str(number)
        size = pyramid.level_size(level)
        levels.append(_write_level(read, size, place, encode, "jpg", threads))
    return levels


def write_label_tiles(
    labels: Labels, first: int, folder: Path, *, threads: int = 1
) -> list[TileLevel]:
    """Write the levels of a label image from one level on as PNG, `<level>/<column>_<row>.png`."""
    encode = partial(encode_labels, colours=class_colours(labels.classes))
    return [
        _write_level(
            partial(labels.read, level),
            labels.level_size(level),
            folder / str(number),
            encode,
            "png",
            threads,
        )
        for number, level in enumerate(range(first, labels.level_count))
    ]


def encode_jpeg(tile: NDArray[np.uint8], *, background: int) -> bytes:
    """Return a tile of the slide as JPEG; nothing if it shows only glass."""
    return b"" if (tile == background).all() else save_jpeg(tile)


def save_jpeg(tile: NDArray[np.uint8]) -> bytes:
    """Return a tile of the slide as JPEG."""
    return bytes(imagecodecs.jpeg8_encode(np.ascontiguousarray(tile), level=QUALITY))


def encode_labels(tile: NDArray[np.uint8], *, colours: Sequence[int]) -> bytes:
    """Return values as PNG with a palette; nothing if all are 0."""
    return save_palette(tile, colours) if tile.any() else b""


def save_palette(values: NDArray[np.uint8], colours: Sequence[int]) -> bytes:
    """Return values as PNG with their colours, red, green and blue of each; 0 is transparent."""
    image = Image.fromarray(values, "L")
    image.putpalette(colours)
    stream = io.BytesIO()
    image.save(stream, "PNG", transparency=0, compress_level=_PNG_LEVEL)
    return stream.getvalue()


def class_colours(classes: Sequence[LabelClass]) -> list[int]:
    """Return the palette of a label image."""
    palette = np.zeros((max(item.value for item in classes) + 1, 3), np.uint8)
    for item in classes:
        palette[item.value] = item.color
    return palette.ravel().tolist()


def _count_pixels(pyramid: Pyramid, level: int) -> int:
    """Return about how many pixels the tiles of a level have that show more than glass."""
    longest = max(pyramid.level_size(level).width, pyramid.level_size(level).height)
    depth = max(math.ceil(math.log2(longest / _SURVEY)), 0)
    coarse = min(level + min(depth, _FINEST_CELL), pyramid.level_count - 1)
    size, cell = pyramid.level_size(coarse), TILE >> (coarse - level)
    planes = pyramid.read_planes(coarse, Rectangle.whole(size))
    shown = (planes != pyramid.background).any(axis=0)
    rows, columns = np.arange(0, size.height, cell), np.arange(0, size.width, cell)
    tiles = np.logical_or.reduceat(np.logical_or.reduceat(shown, rows, axis=0), columns, axis=1)
    return int(np.count_nonzero(tiles)) * TILE**2


def _write_level(
    read: Callable[[int, int, Size], NDArray[np.uint8]],
    size: Size,
    folder: Path,
    encode: Encode,
    ending: str,
    threads: int,
) -> TileLevel:
    folder.mkdir(parents=True)
    tiles = size.ceil_div(TILE)
    written = np.zeros((tiles.height, tiles.width), np.bool_)

    def write_part(part: Rectangle) -> list[tuple[int, int]]:
        pixels = read(part.left, part.top, part.size)
        found = []
        for piece in part.pieces(TILE):
            encoded = encode(pixels[piece.seen_from(part.left, part.top).slices])
            if encoded:
                column, row = piece.left // TILE, piece.top // TILE
                (folder / f"{column}_{row}.{ending}").write_bytes(encoded)
                found.append((row, column))
        return found

    parts: Iterable[Rectangle] = Rectangle.whole(size).pieces(SHARD)
    for found in read_ahead(write_part, parts, threads=threads, ahead=2 * threads):
        for row, column in found:
            written[row, column] = True
    bits = np.packbits(written.ravel()).tobytes()
    return TileLevel(size.width, size.height, base64.b64encode(bits).decode())
