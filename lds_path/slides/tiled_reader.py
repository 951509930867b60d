"""Slides in TIFF files whose tiles are decoded here instead of by OpenSlide, five times as fast.

OpenSlide says what the slide is and reads what cannot be read otherwise: a level without tiles, in
another compression, or with a damaged tile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tifffile

from lds_path.errors import UnreadableSlideError
from lds_path.slides.tiff_reader import DECODE_ERRORS, Level, Plane, TiffImage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lds_path.geometry import Size
    from lds_path.slides.reader import LevelReader

VENDORS = ("aperio", "generic-tiff")
"""Vendors whose levels are plain grids of tiles that do not overlap."""
_COMPRESSIONS = ("NONE", "LZW", "ADOBE_DEFLATE", "JPEG")


class OwnTiles:
    """A slide as another reader describes it, with the tiles of its levels decoded here."""

    def __init__(self, slide: LevelReader, tiles: TiffImage, places: Sequence[int | None]) -> None:
        self.vendor, self.format = slide.vendor, slide.format
        self.level_sizes, self.level_downsamples = slide.level_sizes, slide.level_downsamples
        self.aligned, self.bounds = slide.aligned, slide.bounds
        self.metadata_mpp, self.tags_mpp = slide.metadata_mpp, slide.tags_mpp
        self.icc_profile, self.objective_power = slide.icc_profile, slide.objective_power
        self._slide, self._tiles, self._places = slide, tiles, places

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3), white outside; raise UnreadableSlideError."""
        place = self._places[level]
        if place is not None and left == round(left) and top == round(top):
            try:
                return self._tiles.read(place, left, top, size)
            except UnreadableSlideError:
                pass
        return self._slide.read(level, left, top, size)

    def close(self) -> None:
        """Close the file."""
        self._tiles.close()
        self._slide.close()


def decode_own_tiles(path: Path, slide: LevelReader) -> LevelReader:
    """Return a slide that decodes the tiles of a TIFF file itself, where it can.

    Parameters
    ----------
    path
        The file.
    slide
        The slide in it, which is returned as it is if none of its levels can be decoded here.
    """
    if slide.vendor not in VENDORS:
        return slide
    try:
        file = tifffile.TiffFile(path)
    except (tifffile.TiffFileError, *DECODE_ERRORS):
        return slide
    try:
        pages = [page for page in file.pages if isinstance(page, tifffile.TiffPage)]
        found = [_find_page(pages, size) for size in slide.level_sizes]
    except (tifffile.TiffFileError, *DECODE_ERRORS):
        file.close()
        return slide
    levels = [
        Level(size, (Plane(page),))
        for size, page in zip(slide.level_sizes, found, strict=True)
        if page is not None
    ]
    if not levels:
        file.close()
        return slide
    numbers = iter(range(len(levels)))
    places = [None if page is None else next(numbers) for page in found]
    return OwnTiles(slide, TiffImage(path, file, levels), places)


def _find_page(pages: Sequence[Any], size: Size) -> Any | None:  # noqa: ANN401 - tifffile's page
    """Return the one page of RGB tiles that has this size, None if there are others or none."""
    alike = [
        page for page in pages if (page.imagewidth, page.imagelength) == (size.width, size.height)
    ]
    if len(alike) != 1:
        return None
    (page,) = alike
    fits = (
        page.is_tiled
        and page.imagedepth == 1
        and page.planarconfig == tifffile.PLANARCONFIG.CONTIG
        and (page.samplesperpixel, page.bitspersample) == (3, 8)
        and tifffile.PHOTOMETRIC(page.photometric).name in ("RGB", "YCBCR")
        and tifffile.COMPRESSION(page.compression).name in _COMPRESSIONS
    )
    return page if fits else None
