"""Microns per pixel: which of the values stated for a slide counts, and whether it is plausible."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lds_path.errors import ImplausibleMppError, MissingMppError, UnsuitableSlideError

if TYPE_CHECKING:
    from lds_path.geometry import Size
    from lds_path.remote.address import SlidePath

MIN_MPP = 0.05
MAX_MPP = 50.0
MAX_ANISOTROPY = 1.05
MAX_AREA_MM2 = 10_000.0
"""No glass slide is larger."""
MAX_AREA_UM2 = MAX_AREA_MM2 * 1e6
MICRONS_PER_UNIT = {"inch": 25_400.0, "centimeter": 10_000.0}

MppSource = Literal["sheet", "metadata", "tags"]
SOURCE_NAMES = {
    "sheet": "the 'mpp' column of slides.tsv",
    "metadata": "the file's metadata",
    "tags": "the file's resolution tags",
}
STATED_BY_USER = "the 'mpp' column of slides.tsv for it (in Python: mpp=)"
"""Where a user states it."""


@dataclass(frozen=True)
class Mpp:
    """Microns per level-0 pixel and where the value comes from."""

    value: float
    source: MppSource


def choose_mpp(
    path: SlidePath,
    *,
    sheet: float | None,
    metadata: tuple[float, float] | None,
    tags: tuple[float, float] | None,
) -> Mpp:
    """Return the microns per pixel: the sheet's, else the metadata's, else the tags'.

    Resolution tags count only when they are plausible: a file that was never calibrated states
    72, 96 or 300 dots per inch there, which is 85 um/px or more.

    Parameters
    ----------
    path
        The slide, for the messages.
    sheet
        Value of the sample sheet.
    metadata
        (x, y) as the scanner wrote it.
    tags
        (x, y) from the TIFF or JPEG resolution tags.

    Raises
    ------
    MissingMppError
        If neither sheet nor file states it.
    ImplausibleMppError
        If the value that counts lies outside 0.05 to 50 um/px.
    UnsuitableSlideError
        If x and y differ by more than 5 %.
    """
    if sheet is not None:
        return Mpp(_checked(path, sheet, "sheet"), "sheet")
    if metadata is not None:
        return Mpp(_isotropic(path, metadata, "metadata"), "metadata")
    if tags is not None and all(is_plausible(value) for value in tags):
        return Mpp(_isotropic(path, tags, "tags"), "tags")
    raise MissingMppError(f"{path} has no microns per pixel; fill {STATED_BY_USER}")


def check_area(path: SlidePath, size: Size, mpp: Mpp) -> None:
    """Check that a slide is not larger than a glass slide can be.

    Raises
    ------
    ImplausibleMppError
        If it is larger: the microns per pixel, or the number of pixels, are wrong.
    """
    width_mm, height_mm = size.width * mpp.value / 1000, size.height * mpp.value / 1000
    if width_mm * height_mm > MAX_AREA_MM2:
        raise ImplausibleMppError(
            f"{path} would be {width_mm:.0f} x {height_mm:.0f} mm large: {size.width} x"
            f" {size.height} pixels of {mpp.value:g} um by {SOURCE_NAMES[mpp.source]}; correct"
            f" {STATED_BY_USER}"
        )


def is_plausible(mpp: float) -> bool:
    """Return whether a microscope could have made pixels of this size."""
    return math.isfinite(mpp) and MIN_MPP <= mpp <= MAX_MPP


def mpp_from_resolution(x: float, y: float, unit: str) -> tuple[float, float] | None:
    """Return (x, y) microns per pixel of a resolution in pixels per inch or centimeter."""
    microns = MICRONS_PER_UNIT.get(unit)
    if microns is None or not (x > 0 and y > 0):
        return None
    return microns / x, microns / y


def _isotropic(path: SlidePath, xy: tuple[float, float], source: MppSource) -> float:
    x, y = (_checked(path, value, source) for value in xy)
    if max(x, y) > MAX_ANISOTROPY * min(x, y):
        raise UnsuitableSlideError(
            f"{path} has pixels of {x:.4g} x {y:.4g} um by {SOURCE_NAMES[source]}; square pixels"
            f" are needed; if they are square, fill {STATED_BY_USER}"
        )
    return (x + y) / 2


def _checked(path: SlidePath, mpp: float, source: MppSource) -> float:
    if is_plausible(mpp):
        return mpp
    raise ImplausibleMppError(
        f"{path} has {mpp:g} microns per pixel by {SOURCE_NAMES[source]}; expected {MIN_MPP:g} to"
        f" {MAX_MPP:g}; " + ("correct" if source == "sheet" else "fill") + f" {STATED_BY_USER}"
    )
