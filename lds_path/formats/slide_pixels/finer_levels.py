"""The levels of a pyramid that are not stored, read from its slide when they are asked for."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from lds_path.errors import StageInputError
from lds_path.formats.results import TileParameters, TileResults
from lds_path.formats.slide_pixels.level_reader import LevelReader
from lds_path.formats.slide_pixels.origin import note_slide
from lds_path.formats.slide_pixels.source import Source
from lds_path.provenance.stage_folder import open_folder

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lds_path.geometry import Rectangle
    from lds_path.slides.slide import Slide


class FinerLevels:
    """The levels below the finest that is stored; any thread may read."""

    def __init__(self, tile: Path) -> None:
        """Take the folder of the tile stage; the slide is opened at the first read."""
        self._tile = tile
        self._reader: LevelReader | None = None
        self._lock = threading.Lock()

    def read(self, level: int, window: Rectangle) -> NDArray[np.uint8]:
        """Return a rectangle within a level, RGB, (3, H, W), white where the slide is damaged.

        Raises
        ------
        StageInputError
            If the slide is gone or has changed since.
        UnreadableSlideError
            If more of it turns out to be unreadable than `tile` was told to tolerate.
        """
        return self._open().read(level, window)

    @property
    def unreadable(self) -> tuple[tuple[int, int, int], ...]:
        """Level of the slide, column and row of its pieces that could not be decoded."""
        return () if self._reader is None else self._reader.slide.unreadable_pieces

    def _open(self) -> LevelReader:
        with self._lock:
            if self._reader is None:
                self._reader = self._open_slide()
            return self._reader

    def _open_slide(self) -> LevelReader:
        from lds_path.slides.slide import open_slide  # most stages need no slide

        folder = open_folder(self._tile)
        tiled, limit = folder.read(TileResults), folder.read(TileParameters).max_unreadable_percent
        noted = note_slide(self._tile)
        slide = open_slide(
            noted.path,
            mpp=tiled.slide_mpp,
            scene=tiled.scene,
            max_unreadable_percent=limit,
            to_srgb=tiled.icc_applied,
        )
        weakref.finalize(self, slide.close)
        reader = LevelReader(slide, _source_of(slide, tiled))
        if reader.size != tiled.size:
            raise StageInputError(
                f"{noted.path} has {reader.size.width} x {reader.size.height} working pixels, but"
                f" {self._tile} was made of {tiled.width} x {tiled.height}; run tile again"
            )
        return reader


def _source_of(slide: Slide, tiled: TileResults) -> Source:
    """Return what the working pixels were read from."""
    pitch = tiled.downsample / slide.levels[tiled.slide_level].downsample
    whole = float(round(pitch))
    pitch = whole if abs(pitch - whole) < 1e-9 else pitch
    return Source(tiled.slide_level, pitch, tiled.downsample)
