"""Writing the pyramid of a slide in one pass; `formats.pyramid` reads it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from tqdm import tqdm
from zarr.codecs import ZstdCodec

from lds_path.formats.ome_zarr.ngff import CHANNEL, PLANE, describe_levels
from lds_path.formats.ome_zarr.quadtree import halved_sizes, leaf_order, merge_leaves
from lds_path.formats.ome_zarr.shard import write_shard
from lds_path.formats.pyramid import CHUNK, SHARD
from lds_path.geometry import Rectangle, Size
from lds_path.pixels.halving import halve
from lds_path.read_ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.formats.ome_zarr.quadtree import Cell
    from lds_path.geometry import Frame

    Halved = NDArray[np.uint8] | None
    """A block at half its size, for its parent; None for background only."""

ZSTD_LEVEL = 1
"""Makes H&E 2.2 times smaller; higher levels gain 1 % and take twice as long."""
AXES = (CHANNEL, *PLANE)
CHANNELS = (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))


def write_pyramid(
    path: Path,
    read_block: Callable[[int, int, Size], NDArray[np.uint8] | None],
    size: Size,
    frame: Frame,
    *,
    background: int,
    finest: int = 0,
    threads: int = 1,
    name: str = "slide",
) -> int:
    """Write the levels in one pass over the finest of them and return their number, stored or not.

    Blocks are read in the order of a quadtree, so that every shard of every level is written
    once, from memory; the memory holds a few blocks, whatever the size of the slide.

    Parameters
    ----------
    path
        Store to make.
    read_block
        Called from several threads with left, top and size in pixels of the finest level; returns
        these pixels, (3, H, W), or None if there is only background.
    size
        Extent in working pixels.
    frame
        Where they lie on the slide.
    background
        Grey value of chunks that are not written.
    finest
        The finest level that is written; 0 is that of the working pixels.
    threads
        Number of blocks that are read and compressed at the same time.
    name
        Of the image, for viewers.
    """
    all_sizes = halved_sizes(size, CHUNK)
    sizes = all_sizes[finest:]
    depth = len(sizes) - 1
    _create(path, all_sizes, finest, frame, background, name)
    grid = sizes[0].ceil_div(SHARD)

    def write(above: int, planes: NDArray[np.uint8], cell: Cell) -> Halved:
        return _write_block(path / str(finest + above), planes, cell, background)

    def write_leaf(cell: Cell) -> Halved:
        block = _block(sizes[0], cell)
        planes = read_block(block.left, block.top, block.size)
        return None if planes is None else write(0, planes, cell)

    def write_parent(above: int, cell: Cell, below: list[tuple[Cell, Halved]]) -> Halved:
        planes = _join_halves(below, _block(sizes[above], cell).size, background)
        return None if planes is None else write(above, planes, cell)

    order = leaf_order(grid, depth)
    with (
        closing(read_ahead(write_leaf, order, threads=threads, ahead=threads)) as leaves,
        tqdm(leaves, total=grid.area, unit="block", desc="tile", disable=None) as progress,
    ):
        merge_leaves(iter(progress), write_parent, grid, depth)
    return len(all_sizes)


def _create(
    path: Path, sizes: list[Size], finest: int, frame: Frame, background: int, name: str
) -> None:
    """Write the metadata of the store and its arrays."""
    attributes: dict[str, Any] = {
        "ome": _image_metadata(frame, range(finest, len(sizes)), name),
        "lds_path": {
            "frame": asdict(frame),
            "background": background,
            "size": [sizes[0].width, sizes[0].height],
        },
    }
    group = zarr.open_group(path, mode="w", zarr_format=3, attributes=attributes)
    for level, size in list(enumerate(sizes))[finest:]:
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


def _image_metadata(frame: Frame, levels: range, name: str) -> dict[str, Any]:
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
