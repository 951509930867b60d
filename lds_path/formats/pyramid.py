"""The pyramid of a slide: an OME-Zarr 0.5 image whose levels halve down to one chunk.

Level 0 holds the working pixels; a pixel of level k is the area mean of 2**k x 2**k of them.
Chunks that show only glass are not written; they read as the fill value.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from lds_path.errors import DAMAGE, named_damage
from lds_path.formats.ome_zarr.quadtree import halved_sizes
from lds_path.formats.results import TileResults
from lds_path.geometry import Frame, Rectangle, Size
from lds_path.provenance.manifest import FILE_NAME
from lds_path.provenance.stage_folder import open_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

PYRAMID_NAME = "pyramid.ome.zarr"
CHUNK = 512
SHARD = 2048
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
            planes = self.read_planes(level, shown)
            block[shown.seen_from(left, top).slices] = planes.transpose(1, 2, 0)
        return block

    def read_planes(self, level: int, window: Rectangle) -> NDArray[np.uint8]:
        """Return a rectangle within a level, RGB, (3, H, W), as it is stored."""
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
        If there is none, or it is damaged or lacks a file.
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
            tile = open_folder(folder)
            _compare(tile.read(TileResults), levels, frame, background)
            tile.store(PYRAMID_NAME)
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
