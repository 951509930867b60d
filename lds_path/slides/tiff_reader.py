"""TIFF files that OpenSlide does not read, or not fully: OME-TIFF with SubIFDs, strips, planes."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from itertools import product
from os import pread
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from lds_path.errors import UnreadableSlideError
from lds_path.geometry import Size
from lds_path.slides.image_reader import MAX_PIXELS, REMEDY, WHITE, PlainImage, open_plain, paste
from lds_path.slides.mpp import mpp_from_resolution
from lds_path.slides.safe_xml import parse_xml
from lds_path.slides.tiff_check import check_page, check_tiff, unsuitable
from lds_path.slides.tile_header import UNKNOWN, stated_size

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

UNITS = {2: "inch", 3: "centimeter"}
OME_MICRONS = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
PHOTOMETRIC = {"MINISWHITE", "MINISBLACK", "RGB", "YCBCR"}
CODEC_BLOCK = 64
"""Pixels by which a compressed tile may be larger than its TIFF says."""
DECODE_ERRORS = (
    OSError, RuntimeError, ValueError, TypeError, IndexError, ArithmeticError, zlib.error,
    struct.error,
)  # fmt: skip
"""What tifffile and imagecodecs raise for bytes that are not what a header says."""


@dataclass(frozen=True)
class Plane:
    """The segments of one IFD that hold all samples of a pixel, or one sample."""

    page: Any
    """A tifffile page or frame."""
    first_segment: int = 0


@dataclass(frozen=True)
class Level:
    """One resolution: one plane of interleaved samples, or one plane per sample."""

    size: Size
    planes: tuple[Plane, ...]


class TiffImage:
    """A tiled TIFF, decoded tile by tile; bounded memory; any thread may read."""

    vendor = ""
    icc_profile = False
    objective_power: float | None = None

    def __init__(self, path: Path, file: tifffile.TiffFile, levels: list[Level]) -> None:
        page = file.pages.first
        self.path = path
        self.format = "OME-TIFF" if file.is_ome else "TIFF"
        self.metadata_mpp = _ome_mpp(file.ome_metadata) if file.is_ome else None
        self.tags_mpp = _tags_mpp(page)
        self.icc_profile = page.iccprofile is not None
        self.level_sizes = tuple(level.size for level in levels)
        full = self.level_sizes[0]
        self.level_downsamples = tuple(
            (full.width / size.width + full.height / size.height) / 2 for size in self.level_sizes
        )
        self.aligned = (True,) * len(levels)
        self.bounds = (0, 0, full)
        self._file = file
        self._levels = levels
        self._descriptor = path.open("rb")

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle of a level, (H, W, 3); outside the image it is white.

        Raises
        ------
        UnreadableSlideError
            If a tile that it touches cannot be decoded.
        """
        block = np.full((size.height, size.width, 3), WHITE, np.uint8)
        planes = self._levels[level].planes
        for channel, plane in enumerate(planes):
            view = block if len(planes) == 1 else block[..., channel : channel + 1]
            self._paste_plane(plane, view, round(left), round(top), self._levels[level].size)
        return block

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._descriptor.close()

    def _paste_plane(
        self, plane: Plane, block: NDArray[np.uint8], left: int, top: int, size: Size
    ) -> None:
        keyframe = plane.page.keyframe
        width, height = _segment_size(keyframe)
        across = -(-size.width // width)
        rows = range(max(top, 0) // height, -(-min(top + block.shape[0], size.height) // height))
        columns = range(max(left, 0) // width, -(-min(left + block.shape[1], size.width) // width))
        for row, column in product(rows, columns):
            segment = self._decode(plane, row * across + column)
            if segment is not None:
                segment = segment[: size.height - row * height, : size.width - column * width]
                paste(segment, block, left - column * width, top - row * height)

    def _decode(self, plane: Plane, index: int) -> NDArray[np.uint8] | None:
        """Return a segment's pixels, (H, W, 1 or 3); None where the file stores none."""
        index += plane.first_segment
        keyframe = plane.page.keyframe
        try:
            offset, count = plane.page.dataoffsets[index], plane.page.databytecounts[index]
            if not count:
                return None
            data = pread(self._descriptor.fileno(), count, offset)
            if len(data) < count:
                raise EOFError("it ends beyond the file's end")
            _check_stated_size(data, keyframe)
            pixels, _, shape = keyframe.decode(data, index, jpegtables=keyframe.jpegtables)
        except (*DECODE_ERRORS, EOFError) as error:
            raise UnreadableSlideError(
                f"{self.path} has a damaged tile ({error}); copy it again from its source"
            ) from None
        return None if pixels is None else _to_rgb(pixels[0, : shape[1], : shape[2]], keyframe)


def is_ome_tiff(path: Path) -> bool:
    """Whether a TIFF is an OME-TIFF; one that tifffile does not understand is not.

    Raises
    ------
    UnreadableSlideError
        If the file ends before its pixels do, or `check_tiff` finds another reason.
    """
    try:
        with tifffile.TiffFile(path) as file:
            check_tiff(path, file)
            return file.is_ome
    except UnreadableSlideError:
        raise
    except (tifffile.TiffFileError, *DECODE_ERRORS):
        return False


def open_tiff(path: Path) -> TiffImage | PlainImage:
    """Return a TIFF as tifffile reads it; an image in strips is decoded whole if it is small.

    Raises
    ------
    UnreadableSlideError
        If the file is damaged or its pixels are neither 8-bit grey nor 8-bit colour.
    """
    try:
        file = tifffile.TiffFile(path)
    except (tifffile.TiffFileError, *DECODE_ERRORS) as error:
        raise _damaged(path, error) from None
    try:
        page = file.pages.first.keyframe
        if not file.is_ome and _is_unusual(page):
            file.close()
            return open_plain(path)
        levels = [_level(path, level) for level in file.series[0].levels]
        image = TiffImage(path, file, levels)
    except (tifffile.TiffFileError, *DECODE_ERRORS) as error:
        file.close()
        if isinstance(error, UnreadableSlideError):
            raise
        raise _damaged(path, error) from None
    return image if page.is_tiled else _in_memory(path, image)


def _check_stated_size(data: bytes, keyframe: Any) -> None:  # noqa: ANN401 - a tifffile page
    """Raise ValueError if a segment asks for much more memory than the TIFF states."""
    if keyframe.compression not in tifffile.TIFF.IMAGE_COMPRESSIONS:
        return  # such codecs fill the room that the TIFF states, and no more
    found, expected = stated_size(data), _segment_size(keyframe)
    # Scanners pad tiles to whole blocks of the codec.
    if found is None or any(a > b + CODEC_BLOCK for a, b in zip(found, expected, strict=True)):
        shown = "an unknown size" if found is None else "{} x {} pixels".format(*found)
        raise ValueError(f"it says it has {shown}, not {expected[0]} x {expected[1]}")


def _in_memory(path: Path, image: TiffImage) -> TiffImage | PlainImage:
    """Return an image in strips as one in memory, unless it is too large for that."""
    size = image.level_sizes[0]
    if size.width * size.height > MAX_PIXELS:
        width, height = _segment_size(image._levels[0].planes[0].page.keyframe)
        if width * height > MAX_PIXELS // 16:
            image.close()
            raise UnreadableSlideError(
                f"{path} is one image of {size.width} x {size.height} without tiles; {REMEDY}"
            )
        return image
    plain = PlainImage(image.read(0, 0, 0, size), image.format, image.tags_mpp)
    plain.metadata_mpp, plain.icc_profile = image.metadata_mpp, image.icc_profile
    image.close()
    return plain


def _is_unusual(page: Any) -> bool:  # noqa: ANN401 - a tifffile page
    """Whether the pixels are of a kind that Pillow converts: palette, CMYK, bits, grey + alpha."""
    photometric = tifffile.PHOTOMETRIC(page.photometric).name
    return photometric not in PHOTOMETRIC or page.bitspersample == 1 or page.samplesperpixel == 2


def _level(path: Path, series: Any) -> Level:  # noqa: ANN401 - tifffile's series
    pages = [page for page in series.pages if page is not None]
    keyframe = pages[0].keyframe
    size = Size(keyframe.imagewidth, keyframe.imagelength)
    if not (size.width and size.height and all(_segment_size(keyframe))):
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
    return Level(size, tuple(planes))


def _segment_size(keyframe: Any) -> tuple[int, int]:  # noqa: ANN401 - a tifffile page
    if keyframe.is_tiled:
        return keyframe.tilewidth, keyframe.tilelength
    return keyframe.imagewidth, keyframe.rowsperstrip


def _to_rgb(pixels: NDArray[np.uint8], keyframe: Any) -> NDArray[np.uint8]:  # noqa: ANN401
    """Return decoded samples (H, W, S) as RGB over white, or as they are if one of three planes."""
    if keyframe.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        pixels = np.invert(pixels)
    if pixels.shape[2] < 4:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    colour = pixels[..., :3].astype(np.uint16)
    if keyframe.extrasamples[:1] == (tifffile.EXTRASAMPLE.UNASSALPHA,):
        colour = (colour * alpha + 127) // 255
    rgb: NDArray[np.uint8] = np.minimum(colour + 255 - alpha, 255).astype(np.uint8)
    return rgb


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
