"""What working pixels are read from: a level of the slide, and how much it is reduced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lds_path.slides.reader import Level

MPP_TOLERANCE = 0.05
"""A level, or a whole-number reduction of one, is used as it is within this fraction of the mpp."""
MAX_PITCH = 4.0
"""A level that OpenSlide would interpolate is avoided for one up to this many times finer."""


@dataclass(frozen=True)
class Source:
    """What pixels are read from."""

    level: int
    """Level of the slide."""
    pitch: float
    """Pixels of that level per pixel, >= 1."""
    downsample: float
    """Level-0 pixels per pixel."""


def choose_source(slide_mpp: float, levels: Sequence[Level], mpp: float) -> Source:
    """Return the level and the pitch that give the working mpp with the least reading.

    A level, or a whole-number reduction of one, within 5 % of the working mpp is used as it is;
    else the next finer level is resampled to the working mpp exactly. Nothing is upsampled. A level
    that OpenSlide would interpolate is avoided if a finer one can be halved instead.

    Parameters
    ----------
    slide_mpp
        Microns per level-0 pixel.
    levels
        Of the slide, from the finest.
    mpp
        Working microns per pixel.
    """
    if slide_mpp * (1 + MPP_TOLERANCE) >= mpp:
        return Source(level=0, pitch=1.0, downsample=1.0)
    fitting: list[tuple[bool, int, int]] = []
    for index, level in enumerate(levels):
        factor = max(round(mpp / (slide_mpp * level.downsample)), 1)
        if abs(factor * level.downsample * slide_mpp / mpp - 1) <= MPP_TOLERANCE:
            fitting.append((factor > 2 or not level.aligned, factor, index))
    if fitting:
        _, factor, index = min(fitting)
        return Source(index, float(factor), factor * levels[index].downsample)
    pitches = {
        index: mpp / (slide_mpp * level.downsample)
        for index, level in enumerate(levels)
        if slide_mpp * level.downsample < mpp
    }
    exact = [k for k, pitch in pitches.items() if levels[k].aligned and pitch <= MAX_PITCH]
    index = min(exact or pitches, key=pitches.__getitem__)
    return Source(index, pitches[index], mpp / slide_mpp)
