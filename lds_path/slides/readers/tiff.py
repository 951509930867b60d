"""TIFF files that OpenSlide does not read fully: OME-TIFF with SubIFDs, strips, planes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from lds_path.errors import UnreadableSlideError, UnsuitableSlideError
from lds_path.geometry import Rectangle, Size
from lds_path.slides.images import (
    check_single_plane,
    choose_image,
    images_of_pages,
    images_of_series,
    levels_of_page,
)
from lds_path.slides.mpp import mpp_from_resolution
from lds_path.slides.ome import check_channels, names_other_file, ome_mpp
from lds_path.slides.reader import PAINTED, Level, SlideDescription
from lds_path.slides.readers.colours import PHOTOMETRIC, check_colours
from lds_path.slides.readers.image import MAX_PIXELS, REMEDY, ImageReader
from lds_path.slides.readers.lost_tiles import lacking_levels
from lds_path.slides.readers.tiff_tiles import (
    Plane,
    TiffTiles,
    TiledLevel,
    segment_size,
)
from lds_path.slides.tiff_check import DECODE_ERRORS, check_page, unsuitable
from lds_path.slides.tile_header import UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.remote.address import SlidePath
    from lds_path.slides.images import SlideImage
    from lds_path.slides.probe import Probe

VENDOR_FLAGS = {"bif", "ndpi", "philips", "scn"}
VENDOR_SOFTWARE = ("MedScan", "Philips")
"""What scanners write whose tiles overlap, or lie apart."""
UNITS = {2: "inch", 3: "centimeter"}


class TiffReader:
    """A TIFF as tifffile understands it."""

    def __init__(self, tiles: TiffTiles, description: SlideDescription) -> None:
        self.description = description
        self._tiles = tiles

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3), white outside; raise UnreadableSlideError."""
        return self._tiles.read(level, round(left), round(top), size, blank=level > 0)

    def close(self) -> None:
        """Close the file."""
        self._tiles.close()


def open_ome_tiff(probe: Probe) -> TiffReader | ImageReader | None:
    """Return an OME-TIFF as tifffile reads it, None for another file; raise as `open_tiff`."""
    return open_tiff(probe) if probe.is_ome else None


def open_tiff(probe: Probe) -> TiffReader | ImageReader | None:
    """Return an image of a TIFF, as tifffile reads it; in strips, it is decoded at once.

    It is the largest, or the scene that is asked for: a series of OME-TIFF, a page of other files.

    None if the file is not a TIFF, or has pixels of a kind that is left to Pillow.

    Raises
    ------
    UnreadableSlideError
        If the file is damaged or its pixels are neither 8-bit grey nor 8-bit colour.
    UnsuitableSlideError
        If it holds several images that may be meant, or not the scene.
    """
    path, file = probe.path, probe.tiff
    if probe.tiff_error is not None:
        raise _damaged(path, probe.tiff_error)
    if file is None:
        return None
    try:
        if file.is_ome and names_other_file(file.ome_metadata):
            raise UnsuitableSlideError(
                f"{path} is one of several files, and its OME-XML only names the one that describes"
                " them; convert them to one OME-TIFF"
            )
        images = (
            images_of_pages(file) if probe.scene and not file.is_ome else images_of_series(file)
        )
        main, others = choose_image(path, images, probe.scene)
        page = main.content.keyframe
        if not file.is_ome and _is_unusual(page):
            return None
        levels = [
            _level(path, file, pages, main.number) for pages in _pages_of_levels(path, file, main)
        ]
        tiles = TiffTiles(path, file, levels, probe.remote)
        description = _describe(file, page, levels, main.number)
    except (UnreadableSlideError, UnsuitableSlideError):
        raise
    except DECODE_ERRORS as error:
        raise _damaged(path, error) from None
    description = replace(description, image_number=main.number, other_images=others)
    if not page.is_tiled and (image := _in_memory(tiles, description, probe)):
        return image
    probe.keep_tiff()
    return TiffReader(tiles, description)


def open_lone_ome_tiff(probe: Probe) -> TiffReader | ImageReader | None:
    """Return an OME-TIFF on a server, None for another file; raise as `open_tiff`.

    Also raises UnsuitableSlideError if it is one of several files, which are not looked for.
    """
    if probe.is_ome and probe.tiff is not None and not _is_whole(probe.tiff):
        raise UnsuitableSlideError(
            f"{probe.path} is one of several files of a slide, of which only one is read from a server;"
            " copy them all to a disk, or convert them to one OME-TIFF"
        )
    return open_ome_tiff(probe)


def _is_whole(file: tifffile.TiffFile) -> bool:
    """Return whether tifffile finds all of an OME-TIFF in its file; if not, it takes pages as they come."""
    try:
        return all(series.kind == "ome" for series in file.series)
    except DECODE_ERRORS:  # which `open_tiff` tells
        return True


def open_plain_tiff(probe: Probe) -> TiffReader | ImageReader | None:
    """Return a TIFF on a server, None for one of a vendor, whose tiles only OpenSlide puts in place.

    Levels count as OpenSlide's do, so that the same are used as of a file on a disk; raise as
    `open_tiff`.
    """
    if probe.tiff is not None and _is_of_vendor(probe.tiff):
        return None
    reader = open_tiff(probe)
    if reader is not None:
        levels = reader.description.levels
        whole = [
            replace(item, aligned=item.downsample == round(item.downsample)) for item in levels
        ]
        reader.description = replace(reader.description, levels=tuple(whole))
    return reader


def _is_of_vendor(file: tifffile.TiffFile) -> bool:
    """Return whether a scanner wrote a TIFF in a way of its own."""
    software = str(file.pages.first.tags.valueof("Software") or "")
    return bool(VENDOR_FLAGS & file.flags) or software.startswith(VENDOR_SOFTWARE)


def _is_unusual(page: Any) -> bool:  # noqa: ANN401 - a tifffile page
    """Return whether Pillow converts the pixels: palette, CMYK, bits, grey + alpha, YCbCr."""
    photometric = tifffile.PHOTOMETRIC(page.photometric).name
    return (
        photometric not in PHOTOMETRIC
        or page.bitspersample == 1
        or page.samplesperpixel == 2
        or (photometric == "YCBCR" and not page.is_tiled)
    )


def _pages_of_levels(
    path: SlidePath, file: tifffile.TiffFile, image: SlideImage
) -> list[list[Any]]:
    """Return the pages of each level of an image."""
    if image.kind == "page":
        return [[page] for page in levels_of_page(file, image.number)]
    check_single_plane(path, image.content)
    return [list(level.pages) for level in image.content.levels]


def _level(path: SlidePath, file: tifffile.TiffFile, pages: list[Any], number: int) -> TiledLevel:
    """Return a level of an image, whose pixels must be 8-bit grey or colours."""
    if None in pages or any(_folder(page) != file.filehandle.dirname for page in pages):
        raise UnreadableSlideError(
            f"{path} is one of several files of a slide, and others are missing or in another"
            " folder; copy them all into one folder"
        )
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
    check_colours(path, keyframe)
    if len(pages) > 1:
        check_channels(path, file.ome_metadata if file.is_ome else None, size, number)
    return TiledLevel(size, _planes(path, pages))


def _planes(path: SlidePath, pages: list[Any]) -> tuple[Plane, ...]:
    """Return where the samples of an image lie, which must be grey, RGB or RGB with alpha."""
    keyframe = pages[0].keyframe
    samples = keyframe.samplesperpixel
    separate = keyframe.planarconfig == tifffile.PLANARCONFIG.SEPARATE and samples > 1
    if separate and len(pages) == 1:
        segments = len(pages[0].dataoffsets) // samples
        planes = [Plane(pages[0], index * segments) for index in range(samples)]
    else:
        planes = [Plane(page) for page in pages]
    channels = len(pages) * samples
    if channels not in {1, 3, 4} or (channels == 4 and len(planes) > 1):
        raise unsuitable(path, f"{channels} channels")
    return tuple(planes)


def _folder(page: Any) -> str:  # noqa: ANN401 - a tifffile page
    return str(page.parent.filehandle.dirname)


def _describe(
    file: tifffile.TiffFile,
    page: Any,  # noqa: ANN401 - of tifffile
    tiled_levels: list[TiledLevel],
    number: int,
) -> SlideDescription:
    """Return what the file states about the image of a number, whose first page is given."""
    full, lacking = tiled_levels[0].size, lacking_levels(tiled_levels)
    levels = tuple(
        Level(
            index,
            size,
            (full.width / size.width + full.height / size.height) / 2,
            aligned=True,
            tile=segment_size(page) if page.is_tiled else None,
        )
        for index, size in enumerate(level.size for level in tiled_levels)
        if index not in lacking
    )
    return SlideDescription(
        format="OME-TIFF" if file.is_ome else "TIFF",
        levels=levels,
        bounds_l0=Rectangle.whole(full),
        metadata_mpp=ome_mpp(file.ome_metadata, full, number) if file.is_ome else None,
        tags_mpp=_tags_mpp(page),
        icc_profile=page.iccprofile or b"",
        painted=page.description == PAINTED,
    )


def _in_memory(tiles: TiffTiles, description: SlideDescription, probe: Probe) -> ImageReader | None:
    """Return an image in strips as an image in memory, None if it is too large."""
    if probe.remote is not None:
        raise UnsuitableSlideError(
            f"{probe.path} has no tiles, so that all of it would cross the network; copy it to a disk,"
            f" or {REMEDY}"
        )
    size = tiles.levels[0].size
    if size.area <= MAX_PIXELS:
        first = replace(description, levels=description.levels[:1])
        return ImageReader(tiles.read(0, 0, 0, size), first)
    if segment_size(tiles.levels[0].planes[0].page.keyframe).area > MAX_PIXELS // 16:
        raise UnreadableSlideError(
            f"{tiles.path} is one image of {size.width} x {size.height} without tiles; {REMEDY}"
        )
    return None


def _tags_mpp(page: Any) -> tuple[float, float] | None:  # noqa: ANN401 - a tifffile page
    values = [page.tags.valueof(name) for name in ("XResolution", "YResolution", "ResolutionUnit")]
    if any(value is None for value in values):
        return None
    (x, x_denominator), (y, y_denominator), unit = values
    if not (x_denominator and y_denominator):
        return None
    return mpp_from_resolution(x / x_denominator, y / y_denominator, UNITS.get(int(unit), ""))


def _damaged(path: SlidePath, error: BaseException) -> UnreadableSlideError:
    return UnreadableSlideError(
        f"{path} is a damaged TIFF ({error}); copy it again from its source"
    )
