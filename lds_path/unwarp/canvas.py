"""The pixels of the label image of a slide: their size, and where they lie."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.geometry import Frame, Size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lds_path.geometry import Region

AUTO, WORKING = "auto", "working"
MAX_LABEL_MPP = 64
PIXELS_PER_SAMPLE = 4
"""Label pixels from one sample to the next, at least, along an axis; docs/speed.md has what that costs."""

CONFIDENCE_MPP = 8.0
"""The confidence image has about this resolution."""
MAX_STEP = 512
SAME_MPP = 1.05
"""A requested resolution below this multiple of the working mpp keeps the working pixels."""


@dataclass(frozen=True)
class Canvas:
    """The pixels of the label image."""

    size: Size
    frame: Frame
    """Of label pixels, from the same corner as the working pixels."""
    scale: float
    """Working pixels per label pixel, >= 1."""

    @property
    def confidence_step(self) -> int:
        """Label pixels per confidence pixel, a power of two up to `MAX_STEP`."""
        steps = round(math.log2(CONFIDENCE_MPP / self.frame.mpp))
        return int(2 ** min(max(steps, 0), int(math.log2(MAX_STEP))))


def label_mpp(asked: str | float, regions: Iterable[Region], working_mpp: float) -> float:
    """Return the microns per label pixel for what a user asks for: `auto`, `working` or a number of them.

    `auto` is the working resolution times the largest power of two with which the most densely sampled
    region still has `PIXELS_PER_SAMPLE` label pixels from sample to sample, on average.
    """
    if not isinstance(asked, str):
        return asked
    if asked == WORKING:
        return working_mpp
    pitch = min(
        (
            min(
                region.size.width / region.lattice.width, region.size.height / region.lattice.height
            )
            for region in regions
        ),
        default=1.0,
    )
    return float(working_mpp * 2 ** max(math.floor(math.log2(pitch / PIXELS_PER_SAMPLE) + 1e-9), 0))


def canvas_of(size: Size, frame: Frame, mpp: float | None = None) -> Canvas:
    """Return the pixels of the label image.

    Parameters
    ----------
    size
        Of the slide, in working pixels.
    frame
        Of the working pixels.
    mpp
        Microns per pixel to write; the working one when not given or finer.
    """
    scale = 1.0 if mpp is None or mpp < SAME_MPP * frame.mpp else mpp / frame.mpp
    label_frame = Frame(frame.mpp * scale, frame.downsample * scale, frame.left_l0, frame.top_l0)
    # A last column of which less than a thousandth lies on the slide is a rounding error.
    width, height = (math.ceil(side / scale - 1e-3) for side in (size.width, size.height))
    return Canvas(Size(width, height), label_frame, scale)
