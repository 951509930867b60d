"""TIFF files that OpenSlide does not read fully: OME-TIFF with SubIFDs, strips, planes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from lds_path.errors import UnreadableSlideError
from lds_path.geometry import Rectangle, Size
from lds_path.slides.mpp import mpp_from_resolution
from lds_path.slides.reader import PAINTED, Level, SlideDescription
from lds_path.slides.readers.image import MAX_PIXELS, REMEDY, ImageReader
from lds_path.slides.readers.tiff_tiles import Plane, TiffTiles, TiledLevel, segment_size
from lds_path.slides.safe_xml import parse_xml
from lds_path.slides.tiff_check import DECODE_ERRORS, check_page, unsuitable
from lds_path.slides.tile_header import UNKNOWN

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.slides.probe import Probe

UNITS = {2: "inch", 3: "centimeter"}
OME_MICRONS = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
PHOTOMETRIC = {"MINISWHITE", "MINISBLACK", "RGB", "YCBCR"}


class TiffReader:
    """A TIFF as tifffile understands it."""

    def __init__(self, tiles: TiffTiles, description: SlideDescription) -> None:
        self.description = description
        self._tiles = tiles

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3), white outside; raise UnreadableSlideError."""
        return self._tiles.read(level, round(left), round(top), size)

    def close(self) -> None:
        """Close the file."""
        self._tiles.close()


def open_ome_tiff(probe: Probe) -> TiffReader | ImageReader | None:
    """Return an OME-TIFF as tifffile reads it, None for another file; raise as `open_tiff`."""
    return open_tiff(probe) if probe.is_ome else None


def open_tiff(probe: Probe) -> TiffReader | ImageReader | None:
    """Return a TIFF as tifffile reads it; a small image in strips is decoded at once.

    None if the file is not a TIFF, or has pixels of a kind that is left to Pillow.

    Raises
    ------
    UnreadableSlideError
        If the file is damaged or its pixels are neither 8-bit grey nor 8-bit colour.
    """
    path, file = probe.path, probe.tiff
    if probe.tiff_error is not None:
        raise _damaged(path, probe.tiff_error)
    if file is None:
        return None
    try:
        page = file.pages.first.keyframe
        if not file.is_ome and _is_unusual(page):
            return None
        tiles = TiffTiles(path, file, [_level(path, level) for level in file.series[0].levels])
        description = _describe(file, [level.size for level in tiles.levels])
    except UnreadableSlideError:
        raise
    except DECODE_ERRORS as error:
        raise _damaged(path, error) from None
    if not page.is_tiled and (image := _in_memory(tiles, description)):
        return image
    probe.keep_tiff()
    return TiffReader(tiles, description)


def _is_unusual(page: Any) -> bool:  # noqa: ANN401 - a tifffile page
    """Return whether Pillow converts the pixels: palette, CMYK, bits, grey + alpha."""
    photometric = tifffile.PHOTOMETRIC(page.photometric).name
    return photometric not in PHOTOMETRIC or page.bitspersample == 1 or page.samplesperpixel == 2


def _level(path: Path, series: Any) -> TiledLevel:  # noqa: ANN401 - tifffile's series
    pages = [page for page in series.pages if page is not None]
    keyframe = pages[0].keyframe
    size = Size(keyframe.imagewidth, keyframe.imagelength)
    if not (size.area and segment_size(keyframe).area):
        raise _damaged(path, ValueError("an image or tile without width or height"))
    for page in pages:
        check_page(path, page, page.parent.filehandle.size)
    if keyframe.compression not in tifffile.TIFF.DECOMPRESSORS or keyframe.compression in UNKNOWN:
        raise unsuitable(path, f"pixels compressed by method {keyframe.compression:d}")
    if keyframe.dtype != np.uint8:
        raise unsuitable(path, f"pixels of type {keyframe.dtype}")
    if tifffile.PHOTOMETRIC(keyframe.photometric).name not in PHOTOMETRIC:
        raise unsuitable(path, f"colours of kind {keyframe.photometric.name}")
    if keyframe.planarconfig == tifffile.PLANARCONFIG.SEPARATE and keyframe.samplesperpixel > 1:
        segments = len(pages[0].dataoffsets) // keyframe.samplesperpixel
        planes = [Plane(pages[0], index * segments) for index in range(keyframe.samplesperpixel)]
        channels = len(planes)
    else:
        planes = [Plane(page) for page in pages]
        channels = len(planes) * keyframe.samplesperpixel
    if channels not in {1, 3, 4} or (channels == 4 and len(planes) > 1):
        raise unsuitable(path, f"{channels} channels")
    return TiledLevel(size, tuple(planes))


def _describe(file: tifffile.TiffFile, sizes: list[Size]) -> SlideDescription:
    page, full = file.pages.first, sizes[0]
    levels = tuple(
        Level(
            index,
            size,
            (full.width / size.width + full.height / size.height) / 2,
            aligned=True,
        )
        for index, size in enumerate(sizes)
    )
    return SlideDescription(
        format="OME-TIFF" if file.is_ome else "TIFF",
        levels=levels,
        bounds_l0=Rectangle.whole(full),
        metadata_mpp=_ome_mpp(file.ome_metadata) if file.is_ome else None,
        tags_mpp=_tags_mpp(page),
        icc_profile=page.iccprofile is not None,
        painted=page.description == PAINTED,
    )


def _in_memory(tiles: TiffTiles, description: SlideDescription) -> ImageReader | None:
    """Return an image in strips as an image in memory, None if it is too large."""
    size = tiles.levels[0].size
    if size.area <= MAX_PIXELS:
        first = replace(description, levels=description.levels[:1])
        return ImageReader(tiles.read(0, 0, 0, size), first)
    if segment_size(tiles.levels[0].planes[0].page.keyframe).area > MAX_PIXELS // 16:
        raise UnreadableSlideError(
            f"{tiles.path} is one image of {size.width} x {size.height} without tiles; {REMEDY}"
        )
    return None


def _ome_mpp(xml: str | None) -> tuple[float, float] | None:
    """Return (x, y) microns per pixel of the first image of an OME-XML text."""
    try:
        pixels = next(e for e in parse_xml(xml or "").iter() if e.tag.endswith("}Pixels"))
        x = float(pixels.attrib["PhysicalSizeX"])
        y = float(pixels.attrib.get("PhysicalSizeY", x))
        return (
            x * OME_MICRONS[pixels.attrib.get("PhysicalSizeXUnit", "µm")],
            y * OME_MICRONS[pixels.attrib.get("PhysicalSizeYUnit", "µm")],
        )
    except (StopIteration, KeyError, ValueError):
        return None


def _tags_mpp(page: Any) -> tuple[float, float] | None:  # noqa: ANN401 - a tifffile page
    values = [page.tags.valueof(name) for name in ("XResolution", "YResolution", "ResolutionUnit")]
    if any(value is None for value in values):
        return None
    (x, x_denominator), (y, y_denominator), unit = values
    if not (x_denominator and y_denominator):
        return None
    return mpp_from_resolution(x / x_denominator, y / y_denominator, UNITS.get(int(unit), ""))


def _damaged(path: Path, error: BaseException) -> UnreadableSlideError:
    return UnreadableSlideError(
        f"{path} is a damaged TIFF ({error}); copy it again from its source"
    )
