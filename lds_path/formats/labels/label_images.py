"""Label images: pyramidal OME-TIFF, as QuPath (Bio-Formats) and OpenSlide read it.

One uint8 channel, 0 where nothing was analysed, otherwise the value of a class. Lossless, tiles
of 512, the levels in the SubIFDs of the one page, pixel size and classes in the OME-XML.
Level k is `ceil(size / 2**k)` and its pixel i covers level-0 pixels [i * 2**k, (i + 1) * 2**k].

Memory does not grow with the slide: while writing, compressed tiles are kept in an unnamed
temporary file beside the result, and only their offsets in memory.
"""

from __future__ import annotations

import tempfile
import threading
from contextlib import ExitStack
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import tifffile

from lds_path import __version__
from lds_path.errors import StageInputError, named_damage
from lds_path.formats.labels.label_tiles import TILE, TileSpool, decode_tile, encode_tile
from lds_path.formats.ome_xml import parse_ome_xml, write_ome_xml
from lds_path.formats.ome_zarr.quadtree import halved_sizes
from lds_path.formats.results import StitchResults
from lds_path.geometry import Rectangle, Size, ceil_div
from lds_path.pixels.majority import reduce_by_majority
from lds_path.provenance.complete_file import complete_file
from lds_path.read_ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass
    from lds_path.provenance.stage_folder import StageFolder

__all__ = ["BLOCK", "Labels", "label_blocks", "name_labels", "open_labels", "write_labels"]

BLOCK = 1024
"""Side of the blocks that `write_labels` takes, unless told otherwise."""
_BAND_ROWS = 3
_CLASSIC_TIFF_LIMIT = 2**31


def label_blocks(size: Size, block: int = BLOCK) -> list[Rectangle]:
    """Return the blocks of a label image, the last ones clipped.

    They go through a band of three rows from left to right, and then through the next, so that what blocks
    share with their neighbours above and below is still in memory.
    """
    return sorted(
        Rectangle.whole(size).pieces(block),
        key=lambda piece: (piece.top // (_BAND_ROWS * block), piece.left, piece.top),
    )


def write_labels(
    path: Path,
    blocks: Iterable[NDArray[np.uint8]],
    size: Size,
    *,
    mpp: float,
    classes: Sequence[LabelClass],
    block: int = BLOCK,
    threads: int = 1,
) -> None:
    """Write a label image with its levels; the file is either complete or absent.

    The same pixels give the same bytes.

    Parameters
    ----------
    path
        File to write, `*.ome.tif`.
    blocks
        The pixels of `label_blocks(size, block)`, in that order, (height, width) each.
    size
        Size of level 0.
    mpp
        Microns per pixel of level 0.
    classes
        What the values mean.
    block
        Side of the blocks, 512 times a power of two.
    threads
        Blocks compressed at the same time; the bytes do not depend on them.

    Raises
    ------
    ValueError
        If the shape of a block is wrong, or there are too few or too many blocks.
    """
    sizes = halved_sizes(size, TILE)
    with tempfile.TemporaryFile(dir=path.parent) as stream:
        spools = [TileSpool(stream, level_size) for level_size in sizes]
        depth = min((block // TILE).bit_length(), len(spools))
        placed = zip(label_blocks(size, block), blocks, strict=True)
        encoded = read_ahead(
            lambda item: _encode_block(*item, depth), placed, threads=threads, ahead=2 * threads
        )
        for tiles in encoded:
            for level, column, row, tile in tiles:
                spools[level].put_encoded(tile, column, row)
        for finer, coarser in pairwise(spools[depth - 1 :]):
            _reduce(finer, coarser)
        description = write_ome_xml(path.name.partition(".")[0], size, mpp, classes)
        with complete_file(path) as partial:
            _write_tiff(partial, spools, mpp, description)


class Labels:
    """A label image that `write_labels` wrote; any thread may read, only the tiles it needs.

    Raises
    ------
    StageInputError
        If the file is missing, damaged, or not such an image.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._named_damage(), ExitStack() as opened:
            self._file = opened.enter_context(tifffile.TiffFile(path))
            page = self._file.pages.first
            self.mpp, self.classes = parse_ome_xml(page.description)
            self._levels: list[Any] = [page, *(page.pages or ())]
            sizes = [self.level_size(level) for level in range(len(self._levels))]
            if sizes != halved_sizes(sizes[0], TILE):
                raise ValueError(f"its levels have the sizes {sizes}")
            opened.pop_all()
        self._lock = threading.Lock()

    @property
    def size(self) -> Size:
        """Size of level 0."""
        return self.level_size(0)

    @property
    def level_count(self) -> int:
        """Number of levels."""
        return len(self._levels)

    def level_size(self, level: int) -> Size:
        """Return the size of a level."""
        return Size(self._levels[level].imagewidth, self._levels[level].imagelength)

    def read(self, level: int, left: int, top: int, size: Size) -> NDArray[np.uint8]:
        """Return the labels of a rectangle of a level, (height, width); 0 beyond the edges."""
        labels = np.zeros((size.height, size.width), np.uint8)
        shown = Rectangle(left, top, size).clipped(self.level_size(level))
        for piece in shown.pieces(TILE):
            column, row = piece.left // TILE, piece.top // TILE
            tile = self._read_tile(level, column, row)
            in_tile = piece.seen_from(column * TILE, row * TILE)
            labels[piece.seen_from(left, top).slices] = tile[in_tile.slices]
        return labels

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_tile(self, level: int, column: int, row: int) -> NDArray[np.uint8]:
        with self._named_damage():
            return decode_tile(self._read_encoded(level, column, row))

    def _read_encoded(self, level: int, column: int, row: int) -> bytes:
        page = self._levels[level]
        index = row * ceil_div(page.imagewidth, TILE) + column
        with self._lock:
            self._file.filehandle.seek(page.dataoffsets[index])
            encoded: bytes = self._file.filehandle.read(page.databytecounts[index])
        return encoded

    def _named_damage(self) -> AbstractContextManager[None]:
        return named_damage(self.path, "stitch", tifffile.TiffFileError)


def name_labels(slide: str) -> str:
    """Return the name of a slide's label image."""
    return f"{slide}.labels.ome.tif"


def open_labels(stitch: StageFolder) -> Labels:
    """Return the label image in the folder of the stitch stage, open for reading; see `Labels`."""
    expected = stitch.read(StitchResults)
    labels = Labels(stitch.path / name_labels(stitch.slide))
    found = (labels.size, labels.mpp, tuple(labels.classes))
    if found != (expected.size, expected.mpp, expected.classes):
        labels.close()
        raise StageInputError(
            f"{labels.path} has not the size, the pixel size and the classes that the manifest"
            " lists; run stitch again for this slide"
        )
    return labels


def _encode_block(
    block: Rectangle, pixels: NDArray[np.uint8], depth: int
) -> list[tuple[int, int, int, bytes]]:
    """Return level, column, row and bytes of a block's tiles, in `depth` levels."""
    if pixels.shape != (block.size.height, block.size.width):
        raise ValueError(f"block {block} has pixels of shape {pixels.shape}")
    tiles = []
    for level in range(depth):
        column, row = (start // (TILE << level) for start in (block.left, block.top))
        for top in range(0, pixels.shape[0], TILE):
            for left in range(0, pixels.shape[1], TILE):
                tile = pixels[top : top + TILE, left : left + TILE]
                encoded = encode_tile(tile) if tile.any() else b""
                tiles.append((level, column + left // TILE, row + top // TILE, encoded))
        if level + 1 < depth:
            pixels = reduce_by_majority(pixels)
    return tiles


def _reduce(finer: TileSpool, coarser: TileSpool) -> None:
    for row in range(coarser.rows):
        for column in range(coarser.columns):
            tiles = [[finer.get(2 * column + x, 2 * row + y) for x in (0, 1)] for y in (0, 1)]
            coarser.put(reduce_by_majority(np.block(tiles)), column, row)


def _write_tiff(path: Path, spools: Sequence[TileSpool], mpp: float, description: bytes) -> None:
    full = spools[0].size
    with tifffile.TiffWriter(
        path, bigtiff=full.area > _CLASSIC_TIFF_LIMIT, byteorder="<"
    ) as writer:
        for level, spool in enumerate(spools):
            writer.write(
                spool.encoded_tiles(),
                shape=(spool.size.height, spool.size.width),
                dtype=np.uint8,
                **level_tags(level, len(spools), mpp, description),
            )


def level_tags(level: int, level_count: int, mpp: float, description: bytes) -> dict[str, Any]:
    """Return how tifffile writes a level of a grey pyramid: level 0, and the others as its SubIFDs.

    Parameters
    ----------
    level
        Index of the level.
    level_count
        Number of levels.
    mpp
        Microns per pixel of level 0.
    description
        OME-XML of the image.
    """
    pixels_per_cm = 1e4 / (mpp * 2**level)
    return {
        "tile": (TILE, TILE),
        "photometric": "minisblack",
        "compression": "zlib",
        "resolution": (pixels_per_cm, pixels_per_cm),
        "resolutionunit": "CENTIMETER",
        "software": f"lds-path {__version__}",
        "subfiletype": int(level > 0),
        "subifds": level_count - 1 if level == 0 else None,
        "description": description if level == 0 else None,
        "metadata": None,
    }
