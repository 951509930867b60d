"""Slides in TIFF files whose tiles are decoded here instead of by OpenSlide, five times as fast.

OpenSlide describes the slide and reads what cannot be decoded here: a level without tiles, in
another compression, or with a damaged tile.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import tifffile

from lds_path.errors import UnreadableSlideError
from lds_path.slides.images import check_only_scene, choose_image, images_of_pages
from lds_path.slides.reader import LostTilesError
from lds_path.slides.readers.lost_tiles import lacking_levels
from lds_path.slides.readers.openslide import open_openslide
from lds_path.slides.readers.tiff_tiles import (
    Plane,
    TiffTiles,
    TiledLevel,
)
from lds_path.slides.tiff_check import DECODE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lds_path.geometry import Size
    from lds_path.slides.images import SlideImage
    from lds_path.slides.probe import Probe
    from lds_path.slides.reader import SlideDescription, SlideReader

VENDORS = ("aperio", "generic-tiff")
"""Vendors whose levels are plain grids of tiles that do not overlap."""
UNNAMED_VENDORS = ("generic-tiff",)
"""Vendors whose first page OpenSlide takes for the slide, and whose lost tiles it leaves out."""
_COMPRESSIONS = {
    "RGB": ("NONE", "LZW", "ADOBE_DEFLATE", "DEFLATE", "JPEG"),
    "YCBCR": ("JPEG",),
}
"""By photometric interpretation: what decodes to RGB."""


class OwnTilesReader:
    """A slide as another reader describes it, with the tiles of its levels decoded here."""

    def __init__(
        self,
        slide: SlideReader,
        description: SlideDescription,
        tiles: TiffTiles,
        tiled_levels: Sequence[int | None],
    ) -> None:
        self.description = description
        self._slide, self._tiles, self._tiled_levels = slide, tiles, tiled_levels

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3), white outside; raise UnreadableSlideError."""
        tiled = self._tiled_levels[level]
        if tiled is not None and left == round(left) and top == round(top):
            try:
                return self._tiles.read(tiled, round(left), round(top), size)
            except LostTilesError:  # OpenSlide repairs reduced levels, but shows level 0 white
                if level == 0:
                    raise
            except UnreadableSlideError:
                if self._tiles.levels[tiled].has_checksums:  # OpenSlide would not compare them
                    raise
        return self._slide.read(level, left, top, size)

    def close(self) -> None:
        """Close the file."""
        self._tiles.close()
        self._slide.close()


def open_vendor(probe: Probe) -> SlideReader | None:
    """Return a vendor's slide; None if OpenSlide does not know it, or shows another image.

    Tiles of a TIFF are decoded here if that gives the same pixels.

    Raises
    ------
    UnreadableSlideError
        If the file is damaged.
    UnsuitableSlideError
        If it holds several images that may be meant.
    """
    try:
        slide = open_openslide(probe)
    except UnreadableSlideError:
        _name_images(probe)  # perhaps OpenSlide refuses several
        raise
    if slide is None:
        return None
    try:
        named = slide.description.vendor in UNNAMED_VENDORS
        if named and (found := _name_images(probe)):
            main, others = found
            # Within each tile, OpenSlide turns the pixels by the tag; the tiles stay in their places.
            turned = main.content.keyframe.tags.valueof("Orientation", 1) != 1
            # It takes the levels of all images for those of the first.
            mixed = bool(probe.scene)
            if turned or mixed or main.size != slide.description.levels[0].size:
                slide.close()
                return None
            slide.description = replace(slide.description, other_images=others)
        else:
            check_only_scene(probe.path, probe.scene)
        return decode_own_tiles(probe, slide)
    except BaseException:
        slide.close()
        raise


def _name_images(probe: Probe) -> tuple[SlideImage, tuple[str, ...]] | None:
    """Return the largest image of a TIFF and the names of others; None if it is no TIFF."""
    if probe.tiff is None:
        return None
    try:
        images = images_of_pages(probe.tiff)
    except DECODE_ERRORS:  # OpenSlide understands the file
        return None
    return choose_image(probe.path, images, probe.scene)


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
    if description.vendor in UNNAMED_VENDORS and tiled_levels[0] is not None:
        lacking = lacking_levels(levels)
        kept = [level for level in description.levels if tiled_levels[level.index] not in lacking]
        description = replace(description, levels=tuple(kept))
    probe.keep_tiff()
    return OwnTilesReader(slide, description, TiffTiles(probe.path, file, levels), tiled_levels)


def _find_page(pages: Sequence[Any], size: Size) -> Any | None:  # noqa: ANN401 - tifffile's page
    """Return the only page of this size if it has RGB tiles, else None."""
    pages = [
        page for page in pages if (page.imagewidth, page.imagelength) == (size.width, size.height)
    ]
    if len(pages) != 1:
        return None
    (page,) = pages
    return page if has_rgb_tiles(page) else None


def has_rgb_tiles(page: Any, *others: str) -> bool:  # noqa: ANN401 - tifffile's page
    """Return whether a page has tiles that decode to RGB; `others` are further compressions."""
    kind = tifffile.PHOTOMETRIC(page.photometric).name
    return (
        page.is_tiled
        and page.imagedepth == 1
        and page.planarconfig == tifffile.PLANARCONFIG.CONTIG
        and (page.samplesperpixel, page.bitspersample) == (3, 8)
        and tifffile.COMPRESSION(page.compression).name in (*_COMPRESSIONS.get(kind, ()), *others)
    )
