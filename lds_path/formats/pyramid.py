"""The pyramid of a slide: an OME-Zarr 0.5 image whose levels halve down to one chunk.

Level 0 holds the working pixels; a pixel of level k is the area mean of 2**k x 2**k of them.
Chunks that show only glass are not written; they read as the fill value. The finest levels need
not be stored: they are then read from the slide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr

from lds_path.errors import DAMAGE, named_damage
from lds_path.formats.ome_zarr.quadtree import halved_sizes
from lds_path.formats.results import TileResults
from lds_path.formats.slide_pixels.finer_levels import FinerLevels
from lds_path.formats.texture import TEXTURE_NAME, StoredTexture
from lds_path.geometry import Frame, Rectangle, Size
from lds_path.provenance.manifest import FILE_NAME
from lds_path.provenance.stage_folder import open_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.provenance.stage_folder import StageFolder

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
    sizes: tuple[Size, ...]
    """Extent of each level in its own pixels."""
    stored: tuple[zarr.Array[Any], ...]
    """The levels that are stored: all, or the coarsest."""
    path: Path
    finer: FinerLevels
    """The others."""
    texture: StoredTexture | None = None
    """Of one of the others, where a model asks for it."""

    @property
    def size(self) -> Size:
        """Extent in working pixels."""
        return self.sizes[0]

    @property
    def level_count(self) -> int:
        """Number of levels, stored or not."""
        return len(self.sizes)

    @property
    def finest(self) -> int:
        """The finest level that is stored."""
        return len(self.sizes) - len(self.stored)

    def level_size(self, level: int) -> Size:
        """Return a level's extent in its own pixels."""
        return self.sizes[level]

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
        """Return a rectangle within a level, RGB, (3, H, W), stored or read from the slide."""
        if level < self.finest:
            return self.finer.read(level, window)
        try:
            return np.asarray(self._array(level)[:, *window.slices])
        except DAMAGE:
            with named_damage(self._damaged_shard(level, window), "tile"):
                raise

    def _array(self, level: int) -> zarr.Array[Any]:
        return self.stored[level - self.finest]

    def _damaged_shard(self, level: int, window: Rectangle) -> Path:
        """Return the first file of a rectangle that cannot be read, or else the level's folder."""
        array = self.path / str(level)
        for part in window.pieces(SHARD):
            try:
                self._array(level)[:, *part.slices]
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
        stored: list[Any] = [
            group[dataset["path"]] for dataset in image["multiscales"][0]["datasets"]
        ]
        frame, background = Frame(**own["frame"]), int(own["background"])
        texture = None
        sizes = _check_levels(stored, background, own.get("size"))
        if (folder / FILE_NAME).exists():
            tile = open_folder(folder)
            found = sizes[0], frame, background, len(sizes) - len(stored)
            _compare(tile.read(TileResults), found)
            tile.store(PYRAMID_NAME)
            texture = _open_texture(tile)
    with zarr.config.set(_READING):  # which arrays remember
        levels = tuple(level.with_config({}) for level in stored)
    return Pyramid(frame, background, tuple(sizes), levels, path, FinerLevels(folder), texture)


def _open_texture(tile: StageFolder) -> StoredTexture | None:
    level = tile.read(TileResults).texture_level
    if level is None:
        return None
    path = tile.store(TEXTURE_NAME)
    with zarr.config.set(_READING):
        return StoredTexture(level, path, zarr.open_array(path, mode="r", zarr_format=3))


def _check_levels(
    stored: Sequence[zarr.Array[Any]], background: int, size: Sequence[int] | None
) -> list[Size]:
    """Return the sizes of all levels.

    Raise a `ValueError` unless the metadata of those that are stored are what `write_pyramid` writes.
    """
    found = [Size(level.shape[2], level.shape[1]) for level in stored]
    sizes = halved_sizes(found[0] if size is None else Size(*size), CHUNK)
    if found != sizes[-len(found) :]:
        raise ValueError(f"its levels have the sizes {found}")
    for level in stored:
        metadata = [str(level.dtype), level.fill_value, level.shape[0], level.chunks, level.shards]
        if metadata != ["uint8", background, 3, (3, CHUNK, CHUNK), (3, SHARD, SHARD)]:
            raise ValueError(f"the metadata of level {level.basename} are {metadata}")
    return sizes


def _compare(tile: TileResults, found: tuple[Size, Frame, int, int]) -> None:
    """Raise a `ValueError` unless a pyramid is the one that the manifest describes."""
    if (tile.size, tile.frame, tile.background, tile.finest_level) != found:
        raise ValueError("its metadata are not those in the manifest")
