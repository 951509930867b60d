"""Aperio's SVS on a server, described as OpenSlide does, which reads only files on a disk."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import tifffile

from lds_path.errors import UnreadableSlideError, UnsuitableSlideError
from lds_path.geometry import Rectangle, Size
from lds_path.slides.images import check_only_scene
from lds_path.slides.reader import Level, SlideDescription
from lds_path.slides.readers.own_tiles import has_rgb_tiles
from lds_path.slides.readers.tiff_tiles import Plane, TiffTiles, TiledLevel, segment_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from lds_path.slides.probe import Probe

JPEG_2000 = "APERIO_JP2000_RGB"
"""Compression that is decoded here, too; locally OpenSlide does."""


class AperioReader:
    """The tiles of an SVS; a tile without bytes is an error at every level."""

    def __init__(self, tiles: TiffTiles, description: SlideDescription) -> None:
        self.description = description
        self._tiles = tiles

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3), white outside; raise UnreadableSlideError."""
        return self._tiles.read(level, round(left), round(top), size)

    def close(self) -> None:
        """Close the file."""
        self._tiles.close()


def open_aperio(probe: Probe) -> AperioReader | None:
    """Return an SVS on a server, None for another file.

    Raises
    ------
    UnsuitableSlideError
        If tiles are stored in a way that only OpenSlide decodes.
    """
    file = probe.tiff
    if file is None or not file.is_svs:
        return None
    check_only_scene(probe.path, probe.scene)
    pages = [page for page in file.pages if isinstance(page, tifffile.TiffPage) and page.is_tiled]
    if not pages or pages[0] is not file.pages.first:
        raise UnreadableSlideError(
            f"{probe.path} has no tiles in its first image; copy it again from its source"
        )
    for page in pages:
        if not has_rgb_tiles(page, JPEG_2000):
            kind = tifffile.COMPRESSION(page.compression).name
            raise UnsuitableSlideError(
                f"{probe.path} has tiles of the kind {kind}, which are decoded only in files on a"
                " disk; copy the slide to one"
            )
    probe.keep_tiff()
    levels = [TiledLevel(_size(page), (Plane(page),)) for page in pages]
    return AperioReader(TiffTiles(probe.path, file, levels, probe.remote), _describe(file, pages))


def _describe(file: tifffile.TiffFile, pages: list[Any]) -> SlideDescription:
    first, full = pages[0], _size(pages[0])
    stated = _properties(first.description)
    mpp, power = _number(stated, "MPP"), _number(stated, "AppMag")
    return SlideDescription(
        format="SVS",
        levels=tuple(_level(index, page, full) for index, page in enumerate(pages)),
        bounds_l0=Rectangle.whole(full),
        vendor="aperio",
        metadata_mpp=None if mpp is None else (mpp, mpp),
        icc_profile=first.iccprofile or b"",
        objective_power=power,
    )


def _level(index: int, page: Any, full: Size) -> Level:  # noqa: ANN401 - a tifffile page
    size = _size(page)
    factor = (full.width / size.width + full.height / size.height) / 2
    # Locally, OpenSlide would interpolate where the factor is not whole: the choice is the same.
    return Level(index, size, factor, aligned=factor == round(factor), tile=segment_size(page))


def _properties(description: str) -> dict[str, str]:
    """Return name -> value of an image description, `... | AppMag = 20 | MPP = 0.499`."""
    pairs = (part.partition("=") for part in description.split("|")[1:])
    return {name.strip(): value.strip() for name, _, value in pairs}


def _number(stated: Mapping[str, str], name: str) -> float | None:
    try:
        number = float(stated[name])
    except (KeyError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _size(page: Any) -> Size:  # noqa: ANN401 - a tifffile page
    return Size(int(page.imagewidth), int(page.imagelength))
