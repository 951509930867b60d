"""The vendors' slide formats, as OpenSlide reads them."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING

import numpy as np
import openslide
from PIL import Image

from lds_path.errors import UnreadableSlideError
from lds_path.geometry import Size
from lds_path.slides.image_reader import WHITE
from lds_path.slides.mpp import mpp_from_resolution

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

TAG_VENDORS = {"generic-tiff"}
"""Vendors for which OpenSlide takes mpp from the resolution tags."""


class OpenSlideReader:
    """A slide that OpenSlide reads; a damaged tile does not spoil later reads."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._handle = openslide.OpenSlide(path)
        self._lock = threading.Lock()
        properties = self._handle.properties
        self.vendor = properties.get(openslide.PROPERTY_NAME_VENDOR, "")
        self.format = f"OpenSlide {self.vendor}"
        self.level_sizes = tuple(Size(*size) for size in self._handle.level_dimensions)
        self.level_downsamples = tuple(self._handle.level_downsamples)
        # OpenSlide takes positions in level-0 pixels and divides by its own factor: only whole
        # factors reach a level's pixels without interpolation.
        self.aligned = tuple(factor == round(factor) for factor in self.level_downsamples)
        self.bounds = scanned_bounds(properties, self.level_sizes[0])
        self.tags_mpp = mpp_from_resolution(
            _number(properties, "tiff.XResolution") or 0.0,
            _number(properties, "tiff.YResolution") or 0.0,
            properties.get("tiff.ResolutionUnit", ""),
        )
        x, y = (_number(properties, f"openslide.mpp-{axis}") for axis in "xy")
        self.metadata_mpp = None
        if self.vendor not in TAG_VENDORS and (x is not None or y is not None):
            self.metadata_mpp = (x if x is not None else y or 0.0, y if y is not None else x or 0.0)
        self.icc_profile = "openslide.icc-size" in properties
        self.objective_power = _number(properties, openslide.PROPERTY_NAME_OBJECTIVE_POWER)

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3), white outside; raise UnreadableSlideError."""
        handle = self._handle
        try:
            return self._read(handle, level, left, top, size)
        except openslide.OpenSlideError:
            pass
        # The handle refuses every read after its first error, in all threads: replace it, and
        # ask once more through a handle that no other thread can spoil.
        try:
            with self._lock:
                if self._handle is handle:
                    self._handle = openslide.OpenSlide(self.path)
            with openslide.OpenSlide(self.path) as own:
                return self._read(own, level, left, top, size)
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
        factor = self.level_downsamples[level]
        location = (round(left * factor), round(top * factor))
        image = handle.read_region(location, level, (size.width, size.height))
        if image.getchannel("A").getextrema() == (255, 255):
            return np.asarray(image)[..., :3]
        return over_white(image)


def open_vendor(path: Path) -> OpenSlideReader | None:
    """Return a slide as OpenSlide reads it, None if it knows no such format or compression.

    Raises
    ------
    UnreadableSlideError
        If the file is damaged.
    """
    try:
        if openslide.OpenSlide.detect_format(path) is None:
            return None
        return OpenSlideReader(path)
    except openslide.OpenSlideError as error:
        if str(error).startswith("Unsupported TIFF compression"):
            return None
        raise UnreadableSlideError(
            f"{path} cannot be opened ({error}); the file is damaged or incomplete, copy it again"
            " from its source"
        ) from None


def scanned_bounds(properties: Mapping[str, str], full: Size) -> tuple[int, int, Size]:
    """Return the scanned part that the properties state, cut to the image, else the image."""
    names = (f"openslide.bounds-{name}" for name in ("x", "y", "width", "height"))
    x, y, width, height = (_number(properties, name) for name in names)
    if x is None or y is None or width is None or height is None:
        return 0, 0, full
    left, top = max(int(x), 0), max(int(y), 0)
    right, bottom = min(int(x + width), full.width), min(int(y + height), full.height)
    if right <= left or bottom <= top:
        return 0, 0, full
    return left, top, Size(right - left, bottom - top)


def over_white(image: Image.Image) -> NDArray[np.uint8]:
    """Return an RGBA image composited onto white, (H, W, 3)."""
    paper = Image.new("RGBA", image.size, (WHITE, WHITE, WHITE, 255))
    return np.asarray(Image.alpha_composite(paper, image).convert("RGB"))


def _number(properties: Mapping[str, str], name: str) -> float | None:
    try:
        number = float(properties[name])
    except (KeyError, ValueError):
        return None
    return number if math.isfinite(number) else None
