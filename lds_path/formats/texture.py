"""The texture of a slide, stored where its pixels are not: a Zarr array of coded energies.

`pixels.texture` says what they are. Glass is not stored; it has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from tqdm import tqdm
from zarr.codecs import ZstdCodec

from lds_path.errors import named_damage
from lds_path.formats.ome_zarr.shard import write_shard
from lds_path.geometry import Rectangle, Size, ceil_div
from lds_path.pixels.octaves import TEXTURE_CHANNELS, TEXTURE_EDGE
from lds_path.pixels.texture import measure_texture
from lds_path.read_ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

TEXTURE_NAME = "texture.zarr"
CHUNK, SHARD = 128, 1024
_ZSTD_LEVEL = 1


@dataclass(frozen=True)
class StoredTexture:
    """The texture of one level of a pyramid; any thread may read."""

    level: int
    """Of the pixels."""
    path: Path
    array: zarr.Array[Any]

    def read(self, left: int, top: int, size: Size) -> NDArray[np.uint8]:
        """Return the codes of a rectangle in squares of pixels, (9, H, W); none beyond the edges.

        Raises
        ------
        StageInputError
            If they are damaged.
        """
        codes = np.zeros((TEXTURE_CHANNELS, size.height, size.width), np.uint8)
        whole = Size(self.array.shape[2], self.array.shape[1])
        shown = Rectangle(left, top, size).clipped(whole)
        if not shown.is_empty:
            with named_damage(self.path, "tile"):
                part = np.asarray(self.array[:, *shown.slices])
            codes[:, *shown.seen_from(left, top).slices] = part
        return codes


def write_texture(
    path: Path,
    read_block: Callable[[int, int, Size], NDArray[np.uint8] | None],
    size: Size,
    *,
    background: int,
    threads: int,
) -> None:
    """Write the texture of a level; the memory holds one shard and a few blocks of pixels.

    Parameters
    ----------
    path
        Store to make.
    read_block
        As for `write_pyramid`.
    size
        Extent of the level.
    background
        Grey value beyond its edges.
    threads
        Number of blocks at a time.
    """
    whole = Size(ceil_div(size.width, TEXTURE_EDGE), ceil_div(size.height, TEXTURE_EDGE))
    zarr.create_array(
        path,
        shape=(TEXTURE_CHANNELS, whole.height, whole.width),
        chunks=(TEXTURE_CHANNELS, CHUNK, CHUNK),
        shards=(TEXTURE_CHANNELS, SHARD, SHARD),
        dtype="uint8",
        fill_value=0,
        compressors=[ZstdCodec(level=_ZSTD_LEVEL, checksum=True)],
        dimension_names=["c", "y", "x"],
    )

    def measure(block: Rectangle) -> tuple[Rectangle, NDArray[np.uint8] | None]:
        """Return the codes of a chunk; None where all is glass."""
        place = Rectangle(
            block.left * TEXTURE_EDGE,
            block.top * TEXTURE_EDGE,
            Size(block.size.width * TEXTURE_EDGE, block.size.height * TEXTURE_EDGE),
        )
        shown = place.clipped(size)
        planes = read_block(shown.left, shown.top, shown.size)
        if planes is None:
            return block, None
        beyond = (place.size.height - shown.size.height, place.size.width - shown.size.width)
        if any(beyond):
            pads = ((0, 0), (0, beyond[0]), (0, beyond[1]))
            planes = np.pad(planes, pads, constant_values=background)
        return block, measure_texture(planes)

    shards = list(Rectangle.whole(whole).pieces(SHARD))
    for shard in tqdm(shards, unit="shard", desc="texture", disable=None):
        codes = np.zeros((TEXTURE_CHANNELS, shard.size.height, shard.size.width), np.uint8)
        chunks = shard.pieces(CHUNK)
        for block, found in read_ahead(measure, chunks, threads=threads, ahead=threads):
            if found is not None:
                codes[:, *block.seen_from(shard.left, shard.top).slices] = found
        place = path / "c" / "0" / str(shard.top // SHARD) / str(shard.left // SHARD)
        write_shard(
            place,
            codes,
            chunk=CHUNK,
            chunks_across=SHARD // CHUNK,
            fill_value=0,
            level=_ZSTD_LEVEL,
        )
