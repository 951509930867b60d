"""Which levels of a slide can be used, and how their pixels lie on level 0."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from lds_path.geometry import Rectangle, Size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lds_path.slides.reader import Level, SlideDescription

MAX_MISFIT = 0.02
"""Fraction of width or height, beyond rounding, by which a level may differ from a reduction."""


def bounded_levels(description: SlideDescription) -> tuple[Level, ...]:
    """Return the usable levels of a slide, clipped to its bounds, with their true downsamples."""
    full = description.levels[0].size
    bounds = description.bounds_l0

    def clip(level: Level) -> Level:
        downsample = true_downsample(full, level.size, level.downsample)
        on_a_pixel = bounds.left % downsample == 0 and bounds.top % downsample == 0
        size = _bounded_size(level.size, bounds, downsample, full)
        aligned = level.aligned and on_a_pixel
        return replace(level, size=size, downsample=downsample, aligned=aligned)

    return tuple(clip(level) for level in usable_levels(description.levels))


def usable_levels(levels: Sequence[Level]) -> tuple[Level, ...]:
    """Return the first level and those that, by their sizes, are reductions of it."""
    full = levels[0].size

    def is_reduction(level: Level) -> bool:
        if not level.downsample > 1 - MAX_MISFIT:
            return False
        lengths = ((full.width, level.size.width), (full.height, level.size.height))
        return all(abs(a / level.downsample - b) <= max(1.5, MAX_MISFIT * b) for a, b in lengths)

    return (levels[0], *filter(is_reduction, levels[1:]))


def true_downsample(full: Size, level: Size, stated: float) -> float:
    """Return the whole number that explains a level's size, else the stated factor.

    Scanners halve and drop the odd pixel, so a level of 2221 x 1783 pixels under one of
    4443 x 3567 is reduced by 2, although the sizes' quotient is 2.0005; one of 2 x 2 under 87 x 95
    is reduced by 32, although it is 45.5.
    """
    halvings = math.log2(stated)
    for whole in (2.0 ** math.floor(halvings), 2.0 ** round(halvings), float(round(stated))):
        misfit_x = abs(full.width / whole - level.width)
        misfit_y = abs(full.height / whole - level.height)
        if whole >= 1 and misfit_x < 1 and misfit_y < 1:
            return whole
    return stated


def _bounded_size(level: Size, bounds: Rectangle, downsample: float, full: Size) -> Size:
    """Return the size of the part of a level that shows the bounds, at least one pixel."""
    if bounds == Rectangle.whole(full):
        return level
    return Size(
        max(min(round(bounds.size.width / downsample), level.width), 1),
        max(min(round(bounds.size.height / downsample), level.height), 1),
    )
