"""What every format of slides offers to `slides.slide`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lds_path.geometry import Size


class LevelReader(Protocol):
    """What a format has to offer; positions are level pixels from the whole image's corner."""

    @property
    def vendor(self) -> str:
        """Who made the scanner, as OpenSlide names it; else empty."""

    @property
    def format(self) -> str:
        """Format of the file, for people."""

    @property
    def level_sizes(self) -> tuple[Size, ...]:
        """Size of every level, the whole image."""

    @property
    def level_downsamples(self) -> tuple[float, ...]:
        """Factor of every level as the format states it."""

    @property
    def aligned(self) -> tuple[bool, ...]:
        """Whether a level's own pixels can be read without interpolation."""

    @property
    def bounds(self) -> tuple[int, int, Size]:
        """Left, top and size of the scanned part, level-0 pixels."""

    @property
    def metadata_mpp(self) -> tuple[float, float] | None:
        """Microns per pixel (x, y) as the scanner wrote them."""

    @property
    def tags_mpp(self) -> tuple[float, float] | None:
        """Microns per pixel (x, y) by the resolution tags."""

    @property
    def icc_profile(self) -> bool:
        """Whether the file holds a colour profile."""

    @property
    def objective_power(self) -> float | None:
        """Magnification of the objective, if stated."""

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3), white outside; raise UnreadableSlideError."""

    def close(self) -> None:
        """Close the file."""
