"""Slides in TIFF files whose tiles are decoded here instead of by OpenSlide, five times as fast.

OpenSlide describes the slide and reads what cannot be decoded here: a level without tiles, in
another compression, or with a damaged tile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tifffile

from lds_path.errors import UnreadableSlideError
from lds_path.slides.readers.openslide import open_openslide
from lds_path.slides.readers.tiff_tiles import Plane, TiffTiles, TiledLevel
from lds_path.slides.tiff_check import DECODE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lds_path.geometry import Size
    from lds_path.slides.probe import Probe
    from lds_path.slides.reader import SlideReader

VENDORS = ("aperio", "generic-tiff")
"""Vendors whose levels are plain grids of tiles that do not overlap."""
_COMPRESSIONS = ("NONE", "LZW", "ADOBE_DEFLATE", "JPEG")


class OwnTilesReader:
    """A slide as another reader describes it, with the tiles of its levels decoded here."""

    def __init__(
        self, slide: SlideReader, tiles: TiffTiles, tiled_levels: Sequence[int | None]
    ) -> None:
        self.description = slide.description
        self._slide, self._tiles, self._tiled_levels = slide, tiles, tiled_levels

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3), white outside; raise UnreadableSlideError."""
        tiled = self._tiled_levels[level]
        if tiled is not None and left == round(left) and top == round(top):
            try:
                return self._tiles.read(tiled, round(left), round(top), size)
            except UnreadableSlideError:
                pass
        return self._slide.read(level, left, top, size)

    def close(self) -> None:
        """Close the file."""
        self._tiles.close()
        self._slide.close()


def open_vendor(probe: Probe) -> SlideReader | None:
    """Return a vendor's slide, None if OpenSlide does not know it; raise as `open_openslide`.

    Tiles of a TIFF are decoded here if that gives the same pixels.
    """
    slide = open_openslide(probe)
    return None if slide is None else decode_own_tiles(probe, slide)


def decode_own_tiles(probe: Probe, slide: SlideReader) -> SlideReader:
    """Return a slide that decodes the tiles of a TIFF file itself, where it can.

    Parameters
    ----------
    probe
        The file.
    slide
        Its slide, which is returned unchanged if none of its levels can be decoded here.
    """
    file, description = probe.tiff, slide.description
    if file is None or description.vendor not in VENDORS:
        return slide
    try:
        pages = [page for page in file.pages if isinstance(page, tifffile.TiffPage)]
        page_of_level = [_find_page(pages, level.size) for level in description.levels]
    except DECODE_ERRORS:
        return slide
    levels = [
        TiledLevel(level.size, (Plane(page),))
        for level, page in zip(description.levels, page_of_level, strict=True)
        if page is not None
    ]
    if not levels:
        return slide
    numbers = iter(range(len(levels)))
    tiled_levels = [None if page is None else next(numbers) for page in page_of_level]
    probe.keep_tiff()
    return OwnTilesReader(slide, TiffTiles(probe.path, file, levels), tiled_levels)


def _find_page(pages: Sequence[Any], size: Size) -> Any | None:  # noqa: ANN401 - tifffile's page
    """Return the only page of this size if it has RGB tiles, else None."""
    pages = [
        page for page in pages if (page.imagewidth, page.imagelength) == (size.width, size.height)
    ]
    if len(pages) != 1:
        return None
    (page,) = pages
    fits = (
        page.is_tiled
        and page.imagedepth == 1
        and page.planarconfig == tifffile.PLANARCONFIG.CONTIG
        and (page.samplesperpixel, page.bitspersample) == (3, 8)
        and tifffile.PHOTOMETRIC(page.photometric).name in ("RGB", "YCBCR")
        and tifffile.COMPRESSION(page.compression).name in _COMPRESSIONS
    )
    return page if fits else None
