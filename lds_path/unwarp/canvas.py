"""The pixels of the label image of a slide: their size, and where they lie."""

from __future__ import annotations

import math
from dataclasses import dataclass

from lds_path.geometry import Frame, Size

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
