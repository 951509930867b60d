"""The pyramid of a slide: an OME-Zarr 0.5 image whose levels halve down to one chunk.

Level 0 holds the working pixels; a pixel of level k is the area mean of 2**k x 2**k of them.
Chunks that show only glass are not written; they read as the fill value.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from tqdm import tqdm
from zarr.codecs import ZstdCodec

from lds_path.errors import DAMAGE, named_damage
from lds_path.formats.ome_zarr.ngff import CHANNEL, PLANE, describe_levels
from lds_path.formats.ome_zarr.quadtree import halved_sizes, leaf_order, merge_leaves
from lds_path.formats.ome_zarr.shard import write_shard
from lds_path.formats.results import TileResults
from lds_path.geometry import Frame, Rectangle, Size
from lds_path.provenance.manifest import FILE_NAME
from lds_path.provenance.stage_folder import read_results
from lds_path.read_ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.formats.ome_zarr.quadtree import Cell

    Halved = NDArray[np.uint8] | None
    """A block at half its size, for its parent; None for background only."""

PYRAMID_NAME = "pyramid.ome.zarr"
CHUNK = 512
SHARD = 2048
ZSTD_LEVEL = 1
"""Makes H&E 2.2 times smaller; higher levels gain 1 % and take twice as long."""
AXES = (CHANNEL, *PLANE)
CHANNELS = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))
_READING = {"codec_pipeline.path": "zarrs.ZarrsCodecPipeline", "threading.max_workers": 1}
"""Each window is decoded by one thread: a stage that has more reads several windows at a time."""


@dataclass(frozen=True)
class Pyramid:
    """A written pyramid; any thread may read."""

    frame: Frame
    background: int
    """Grey value of glass, and of everything beyond the edges."""
    levels: tuple[zarr.Array[Any], ...]
    path: Path

    @property
    def size(self) -> Size:
        """Extent in working pixels."""
        return self.level_size(0)

    @property
    def level_count(self) -> int:
        """Number of levels."""
        return len(self.levels)

    def level_size(self, level: int) -> Size:
        """Return a level's extent in its own pixels."""
        _, height, width = self.levels[level].shape
        return Size(width, height)

    def level_near(self, mpp: float) -> int:
        """Return the level whose pixels are nearest to a size, by their ratio."""
        level = round(float(np.log2(mpp / self.frame.mpp)))
        return min(max(level, 0), self.level_count - 1)

    def read(self, level: int, left: int, top: int, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle of a level.

        Parameters
        ----------
        level
            Index of the level.
        left, top
            Corner in that level's pixels.
        size
            Extent in that level's pixels.

        Returns
        -------
        NDArray
            RGB, (H, W, 3), uint8; the background beyond the edges.
        """
        block = np.full((size.height, size.width, 3), self.background, np.uint8)
        shown = Rectangle(left, top, size).clipped(self.level_size(level))
        if not shown.is_empty:
            planes = self._read_planes(level, shown)
            block[shown.seen_from(left, top).slices] = planes.transpose(1, 2, 0)
        return block

    def _read_planes(self, level: int, window: Rectangle) -> NDArray[np.uint8]:
        """Return a rectangle within a level, (3, H, W)."""
        try:
            return np.asarray(self.levels[level][:, *window.slices])
        except DAMAGE:
            with named_damage(self._damaged_shard(level, window), "tile"):
                raise

    def _damaged_shard(self, level: int, window: Rectangle) -> Path:
        """Return the first file of a rectangle that cannot be read, or else the level's folder."""
        array = self.path / str(level)
        for part in window.pieces(SHARD):
            try:
                self.levels[level][:, *part.slices]
            except DAMAGE:
                return array / "c" / "0" / str(part.top // SHARD) / str(part.left // SHARD)
        return array


def open_pyramid(folder: Path) -> Pyramid:
    """Return the pyramid in the folder of the tile stage.

    Raises
    ------
    StageInputError
        If there is none.
    """
    path = folder / PYRAMID_NAME
    with named_damage(path, "tile"):
        group = zarr.open_group(path, mode="r", zarr_format=3)
        own: Any = group.attrs["lds_path"]
        image: Any = group.attrs["ome"]
        levels: list[Any] = [
            group[dataset["path"]] for dataset in image["multiscales"][0]["datasets"]
        ]
        frame, background = Frame(**own["frame"]), int(own["background"])
        _check_levels(levels, background)
        if (folder / FILE_NAME).exists():
            _compare(read_results(folder, TileResults), levels, frame, background)
    with zarr.config.set(_READING):  # which arrays remember
        return Pyramid(frame, background, tuple(level.with_config({}) for level in levels), path)


def _check_levels(levels: Sequence[zarr.Array[Any]], background: int) -> None:
    """Raise a `ValueError` unless the metadata of the levels are those that `_create` writes."""
    sizes = [Size(level.shape[2], level.shape[1]) for level in levels]
    if sizes != halved_sizes(sizes[0], CHUNK):
        raise ValueError(f"its levels have the sizes {sizes}")
    for level in levels:
        found = [str(level.dtype), level.fill_value, level.shape[0], level.chunks, level.shards]
        if found != ["uint8", background, 3, (3, CHUNK, CHUNK), (3, SHARD, SHARD)]:
            raise ValueError(f"the metadata of level {level.basename} are {found}")


def _compare(
    tile: TileResults, levels: Sequence[zarr.Array[Any]], frame: Frame, background: int
) -> None:
    """Raise a `ValueError` unless a pyramid is the one that the manifest describes."""
    _, height, width = levels[0].shape
    if (tile.size, tile.frame, tile.background) != (Size(width, height), frame, background):
        raise ValueError("its metadata are not those in the manifest")


def write_pyramid(
    path: Path,
    read_block: Callable[[int, int, Size], NDArray[np.uint8] | None],
    size: Size,
    frame: Frame,
    *,
    background: int,
    threads: int = 1,
    name: str = "slide",
) -> int:
    """Write all levels in one pass over the working pixels and return their number.

    Blocks are read in the order of a quadtree, so that every shard of every level is written
    once, from memory; the memory holds a few blocks, whatever the size of the slide.

    Parameters
    ----------
    path
        Store to make.
    read_block
        Called from several threads with left, top and size; returns working pixels, (3, H, W),
        or None if there is only background.
    size
        Extent in working pixels.
    frame
        Where they lie on the slide.
    background
        Grey value of chunks that are not written.
    threads
        Number of blocks that are read and compressed at the same time.
    name
        Of the image, for viewers.
    """
    sizes = halved_sizes(size, CHUNK)
    depth = len(sizes) - 1
    _create(path, sizes, frame, background, name)
    grid = size.ceil_div(SHARD)

    def write_leaf(cell: Cell) -> Halved:
        block = _block(size, cell)
        planes = read_block(block.left, block.top, block.size)
        return None if planes is None else _write_block(path / "0", planes, cell, background)

    def write_parent(level: int, cell: Cell, below: list[tuple[Cell, Halved]]) -> Halved:
        planes = _join_halves(below, _block(sizes[level], cell).size, background)
        return None if planes is None else _write_block(path / str(level), planes, cell, background)

    order = leaf_order(grid, depth)
    with (
        closing(read_ahead(write_leaf, order, threads=threads, ahead=threads)) as leaves,
        tqdm(leaves, total=grid.area, unit="block", desc="tile", disable=None) as progress,
    ):
        merge_leaves(iter(progress), write_parent, grid, depth)
    return len(sizes)


def halve(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the means of 2 x 2 pixels, (C, H, W) -> (C, ceil(H / 2), ceil(W / 2)).

    A last odd row or column is averaged with itself. Halves are rounded up.
    """
    _, height, width = planes.shape
    if height % 2 or width % 2:
        planes = np.pad(planes, ((0, 0), (0, height % 2), (0, width % 2)), mode="edge")
    rows = planes[:, 0::2].astype(np.uint16)
    rows += planes[:, 1::2]
    total = rows[..., 0::2] + rows[..., 1::2]
    total += 2
    total >>= 2
    return total.astype(np.uint8)


def _create(path: Path, sizes: list[Size], frame: Frame, background: int, name: str) -> None:
    """Write the metadata of the store and its arrays."""
    attributes: dict[str, Any] = {
        "ome": _image_metadata(frame, len(sizes), name),
        "lds_path": {"frame": asdict(frame), "background": background},
    }
    group = zarr.open_group(path, mode="w", zarr_format=3, attributes=attributes)
    for level, size in enumerate(sizes):
        group.create_array(
            str(level),
            shape=(3, size.height, size.width),
            chunks=(3, CHUNK, CHUNK),
            shards=(3, SHARD, SHARD),
            dtype="uint8",
            fill_value=background,
            compressors=[ZstdCodec(level=ZSTD_LEVEL, checksum=True)],
            dimension_names=[axis["name"] for axis in AXES],
        )


def _image_metadata(frame: Frame, levels: int, name: str) -> dict[str, Any]:
    """Return the OME attributes."""
    channels = [
        {
            "label": label,
            "color": color,
            "active": True,
            "window": {"min": 0, "max": 255, "start": 0, "end": 255},
        }
        for label, color in CHANNELS
    ]
    return {
        "version": "0.5",
        "multiscales": describe_levels(AXES, frame.mpp, levels, name=name, method="area mean"),
        "omero": {"channels": channels, "rdefs": {"model": "color"}},
    }


def _join_halves(
    below: list[tuple[Cell, Halved]], size: Size, background: int
) -> NDArray[np.uint8] | None:
    """Return the block of four halved blocks, None if all are background."""
    if all(half is None for _, half in below):
        return None
    planes = np.full((3, size.height, size.width), background, np.uint8)
    for (column, row), half in below:
        if half is not None:
            top, left = (row % 2) * SHARD // 2, (column % 2) * SHARD // 2
            planes[:, top : top + half.shape[1], left : left + half.shape[2]] = half
    return planes


def _block(size: Size, cell: Cell) -> Rectangle:
    """Return the pixels of a level that one shard holds."""
    column, row = cell
    return Rectangle(column * SHARD, row * SHARD, Size(SHARD, SHARD)).clipped(size)


def _write_block(
    array: Path, planes: NDArray[np.uint8], cell: Cell, background: int
) -> NDArray[np.uint8]:
    """Write one shard of a level and return its pixels halved."""
    column, row = cell
    write_shard(
        array / "c" / "0" / str(row) / str(column),
        planes,
        chunk=CHUNK,
        chunks_across=SHARD // CHUNK,
        fill_value=background,
        level=ZSTD_LEVEL,
    )
    return halve(planes)
