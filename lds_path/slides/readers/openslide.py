"""The slide formats of vendors, as OpenSlide reads them."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import numpy as np
import openslide
from PIL import Image, ImageCms

from lds_path.errors import UnreadableSlideError, UnsuitableSlideError
from lds_path.geometry import Rectangle, Size
from lds_path.slides.companions import find_short_instance
from lds_path.slides.dicom_header import contradicts_its_frames
from lds_path.slides.mpp import mpp_from_resolution
from lds_path.slides.reader import PAINTED, Level, SlideDescription
from lds_path.slides.readers.hamamatsu import check_restarts
from lds_path.slides.readers.image import WHITE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.slides.probe import Probe

DAMAGED_PROFILE = b"damaged"
"""In place of a colour profile that cannot be opened."""
TAG_VENDORS = {"generic-tiff"}
"""Vendors for which OpenSlide takes mpp from the resolution tags."""


LEFT_TO_OTHERS = (
    "Unsupported TIFF compression",
    "Unsupported transfer syntax",
    "Unrecognized subblock dimension",
)
"""What OpenSlide says of files that are whole, but not for it: TIFF, DICOM, CZI."""


class OpenSlideReader:
    """A slide that OpenSlide reads; a damaged tile does not affect later reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = openslide.OpenSlide(path)
        self._lock = threading.Lock()
        self.description = _describe(self._handle)

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3), white outside; raise UnreadableSlideError."""
        handle = self._handle
        try:
            return self._read(handle, level, left, top, size)
        except openslide.OpenSlideError:
            pass
        # After its first error a handle refuses every read, in all threads: replace it, and read
        # again with a handle that no other thread uses.
        try:
            with self._lock:
                if self._handle is handle:
                    self._handle = openslide.OpenSlide(self.path)
            with openslide.OpenSlide(self.path) as fresh:
                return self._read(fresh, level, left, top, size)
        except openslide.OpenSlideError as error:
            raise UnreadableSlideError(
                f"{self.path} has a damaged tile ({error}); copy it again from its source"
            ) from None

    def close(self) -> None:
        """Close the file."""
        self._handle.close()

    def _read(
        self, handle: openslide.OpenSlide, level: int, left: float, top: float, size: Size
    ) -> NDArray[np.uint8]:
        factor = self.description.levels[level].downsample
        location = (round(left * factor), round(top * factor))
        image = handle.read_region(location, level, (size.width, size.height))
        if image.getchannel("A").getextrema() == (255, 255):
            return np.asarray(image)[..., :3]
        return over_white(image)


def library_version() -> str:
    """Return the version of the OpenSlide library."""
    return str(openslide.__library_version__)


def open_openslide(probe: Probe) -> OpenSlideReader | None:
    """Return a slide as OpenSlide reads it, None if its format or compression is unknown.

    Raises
    ------
    UnreadableSlideError
        If the file is damaged.
    UnsuitableSlideError
        If it holds several focal planes, or states other colours than its frames have.
    """
    if probe.is_folder:
        return None
    try:
        reader = OpenSlideReader(probe.file)
    except openslide.OpenSlideUnsupportedFormatError:
        return None
    except openslide.OpenSlideError as error:
        if any(words in str(error) for words in LEFT_TO_OTHERS):
            return None
        if "FocalPlanes" in str(error):
            raise UnsuitableSlideError(
                f"{probe.path} holds several focal planes; expected one; convert the plane to"
                " analyse to a file of its own"
            ) from None
        raise UnreadableSlideError(
            f"{probe.path} cannot be opened ({error}); the file is damaged or incomplete, copy it"
            " again from its source; if it is whole, convert it to a tiled TIFF"
        ) from None
    try:
        _check_parts(reader)
    except BaseException:
        reader.close()
        raise
    return reader


def scanned_bounds(properties: Mapping[str, str], full: Size) -> Rectangle:
    """Return the scanned part that the properties state, clipped to the image, else the image."""
    names = (f"openslide.bounds-{name}" for name in ("x", "y", "width", "height"))
    x, y, width, height = (_number(properties, name) for name in names)
    if x is None or y is None or width is None or height is None:
        return Rectangle.whole(full)
    stated = Rectangle.between(int(x), int(y), int(x + width), int(y + height))
    bounds = stated.clipped(full)
    return Rectangle.whole(full) if bounds.is_empty else bounds


def _check_parts(reader: OpenSlideReader) -> None:
    """Check files of a slide whose damage OpenSlide passes over."""
    path, vendor = reader.path, reader.description.vendor
    if vendor == "hamamatsu":
        check_restarts(path)
    if vendor == "dicom" and contradicts_its_frames(path):
        raise UnsuitableSlideError(
            f"{path} states RGB (0028,0004), but its JPEG frames say that they are YCbCr: it would be read in wrong"
            " colours; correct the element to YBR_FULL_422, or convert the slide again"
        )
    if vendor == "dicom" and (short := find_short_instance(path)):
        raise UnreadableSlideError(
            f"{short} is damaged or cut short: it ends before its pixels, and may be a level of"
            f" {path}; copy it again from its source"
        )


def over_white(image: Image.Image) -> NDArray[np.uint8]:
    """Return an RGBA image composited onto white, (H, W, 3)."""
    paper = Image.new("RGBA", image.size, (WHITE, WHITE, WHITE, 255))
    return np.asarray(Image.alpha_composite(paper, image).convert("RGB"))


def _describe(handle: openslide.OpenSlide) -> SlideDescription:
    properties = handle.properties
    vendor = properties.get(openslide.PROPERTY_NAME_VENDOR, "")
    pairs = zip(handle.level_dimensions, handle.level_downsamples, strict=True)
    # OpenSlide takes positions in level-0 pixels and divides by its own factor: only whole
    # factors reach a level's pixels without interpolation.
    levels = tuple(
        Level(index, Size(*size), factor, factor == round(factor), _tile(properties, index))
        for index, (size, factor) in enumerate(pairs)
    )
    return SlideDescription(
        format=f"OpenSlide {vendor}",
        levels=levels,
        bounds_l0=scanned_bounds(properties, levels[0].size),
        vendor=vendor,
        metadata_mpp=None if vendor in TAG_VENDORS else _metadata_mpp(properties),
        tags_mpp=mpp_from_resolution(
            _number(properties, "tiff.XResolution") or 0.0,
            _number(properties, "tiff.YResolution") or 0.0,
            properties.get("tiff.ResolutionUnit", ""),
        ),
        icc_profile=_profile(handle),
        objective_power=_number(properties, openslide.PROPERTY_NAME_OBJECTIVE_POWER),
        painted=properties.get("tiff.ImageDescription") == PAINTED,
    )


def _profile(handle: openslide.OpenSlide) -> bytes:
    try:
        profile = handle.color_profile
    except ImageCms.PyCMSError:
        return DAMAGED_PROFILE
    return b"" if profile is None else bytes(profile.tobytes())


def _tile(properties: Mapping[str, str], level: int) -> Size | None:
    """Return the size of a level's tiles, None if they are not stated."""
    names = (f"openslide.level[{level}].tile-{side}" for side in ("width", "height"))
    width, height = (_number(properties, name) for name in names)
    return None if width is None or height is None else Size(int(width), int(height))


def _metadata_mpp(properties: Mapping[str, str]) -> tuple[float, float] | None:
    """Return (x, y) microns per pixel; a missing one is taken from the other."""
    x, y = (_number(properties, f"openslide.mpp-{axis}") for axis in "xy")
    if x is None or y is None:
        either = y if x is None else x
        return None if either is None else (either, either)
    return x, y


def _number(properties: Mapping[str, str], name: str) -> float | None:
    try:
        number = float(properties[name])
    except (KeyError, ValueError):
        return None
    return number if math.isfinite(number) else None
