"""What a file states about its slide, and the protocol of what reads its pixels.

To support another kind of slide, add a module in `slides.readers` and a line in
`slides.slide.READERS`. The module has a function that takes a `slides.probe.Probe` and returns a
`SlideReader`, None if the file is not of its kind; it raises `UnreadableSlideError` if the file is
of its kind but damaged.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from lds_path.errors import UnreadableSlideError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lds_path.geometry import Rectangle, Size


PAINTED = "Painted by lds-path demo: not real tissue"
"""Image description of a slide that the stage demo painted."""


@dataclass(frozen=True)
class Level:
    """One resolution of a slide."""

    index: int
    """Number of the level in the file, from 0, the finest."""
    size: Size
    """In its own pixels."""
    downsample: float
    """Level-0 pixels per pixel."""
    aligned: bool
    """Whether its own pixels are read without interpolation."""
    tile: Size | None = field(default=None, compare=False)
    """Unit of storage, if known: the level may be filled up to whole tiles."""


@dataclass(frozen=True)
class SlideDescription:
    """What a file states about its slide."""

    format: str
    """Name of the file's format, for people."""
    levels: tuple[Level, ...]
    """Every level of the whole image, with its size and downsample as the format states them."""
    bounds_l0: Rectangle
    """The scanned part, level-0 pixels."""
    vendor: str = ""
    """Vendor of the scanner, as OpenSlide names it; else empty."""
    metadata_mpp: tuple[float, float] | None = None
    """Microns per level-0 pixel (x, y) as the scanner wrote them."""
    tags_mpp: tuple[float, float] | None = None
    """Microns per level-0 pixel (x, y) by the resolution tags."""
    icc_profile: bytes = b""
    """Colour profile of the slide; empty if the file holds none."""
    objective_power: float | None = None
    """Magnification of the objective, if stated."""
    painted: bool = False
    """Whether the file says that the stage demo painted it."""
    image_number: int = 0
    """Of the slide among the images of the file."""
    other_images: tuple[str, ...] = ()
    """What else the file holds, by name and size; a slide's label and macro count only in a TIFF."""


class LostTilesError(UnreadableSlideError):
    """The file has no bytes for a part of a rectangle; the rest was read."""

    def __init__(self, message: str, pixels: NDArray[np.uint8], lost: NDArray[np.bool_]) -> None:
        super().__init__(message)
        self.pixels = pixels
        """RGB, (H, W, 3); where bytes are missing, what the format says for what was not scanned."""
        self.lost = lost
        """Where they are missing, (H, W, 1), or (H, W, 3) by colour."""


class SlideReader(Protocol):
    """An open slide; any thread may read."""

    @property
    def description(self) -> SlideDescription:
        """What the file states about the slide."""

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, RGB, (H, W, 3), white outside the image.

        Convention: positions are level pixels from the whole image's corner.

        Parameters
        ----------
        level
            Index of the level in the description.
        left, top
            Corner; fractional if the bounds do not start on a pixel of this level.
        size
            Extent.

        Raises
        ------
        LostTilesError
            If the file has no bytes for a part of the rectangle, although it should.
        UnreadableSlideError
            If a part of the rectangle cannot be decoded.
        """

    def close(self) -> None:
        """Close the file."""
