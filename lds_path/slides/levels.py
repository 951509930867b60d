"""Which levels of a slide can be used, and how their pixels lie on level 0.

The factor of a level follows from its size, which has two flaws: scanners drop the odd pixel, or fill
a level up to whole tiles. A level of 2221 x 1783 pixels under one of 4443 x 3567 is reduced by 2,
although the sizes' quotient is 2.0005; one of 1536 x 1280 pixels in tiles of 256 under one of
6144 x 4864 is reduced by 4, although it is 3.9. A level whose factor remains in doubt is not used.
"""

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
MAX_FACTOR = 4096
"""Largest factor of a padded level."""


def bounded_levels(description: SlideDescription) -> tuple[Level, ...]:
    """Return the usable levels of a slide, clipped to its bounds, with their true downsamples."""
    full = description.levels[0].size
    bounds = description.bounds_l0

    def clip(level: Level) -> Level:
        downsample = level.downsample
        on_a_pixel = bounds.left % downsample == 0 and bounds.top % downsample == 0
        size = _bounded_size(level.size, bounds, downsample, full)
        return replace(level, size=size, aligned=level.aligned and on_a_pixel)

    return tuple(clip(level) for level in usable_levels(description.levels))


def usable_levels(levels: Sequence[Level]) -> tuple[Level, ...]:
    """Return the first level and those whose sizes tell their factor, without their padding."""
    full = levels[0].size
    usable = [levels[0]]
    for level in levels[1:]:
        downsample = true_downsample(full, level.size, level.downsample, level.tile)
        if downsample is not None:
            shown = Size(*(math.ceil(length / downsample) for length in _lengths(full)))
            size = level.size.cut_to(shown) if downsample != level.downsample else level.size
            usable.append(replace(level, size=size, downsample=downsample))
    return tuple(usable)


def true_downsample(
    full: Size, level: Size, stated: float, tile: Size | None = None
) -> float | None:
    """Return the whole number that explains a level's size, else the stated factor.

    None if the level is no reduction of the first, or padding could hide one of several factors.

    Parameters
    ----------
    full, level
        Sizes of level 0 and of the level.
    stated
        Quotient of the sizes, or what else the format states.
    tile
        Of the level, if known: it may be filled up to whole tiles.
    """
    exact = _exact_factor(full, level, stated)
    if tile is None or not _has_whole_tiles(level, tile):
        stated_fits = _is_reduction(full, level, stated)
        return exact or (stated if stated_fits else None)
    padded = _padded_factors(full, level, tile)
    powers_of_two = [factor for factor in padded if factor & (factor - 1) == 0]
    possible = {*(powers_of_two or padded), *([] if exact is None else [int(exact)])}
    return float(possible.pop()) if len(possible) == 1 else None


def _exact_factor(full: Size, level: Size, stated: float) -> float | None:
    """Return the whole factor after which less than a pixel is left over along both axes."""
    if not (stated > 0 and math.isfinite(stated)):
        return None
    halvings = math.log2(stated)
    for whole in (2.0 ** math.floor(halvings), 2.0 ** round(halvings), float(round(stated))):
        if whole >= 1 and all(
            abs(a / whole - b) < 1 for a, b in zip(_lengths(full), _lengths(level), strict=True)
        ):
            return whole
    return None


def _has_whole_tiles(level: Size, tile: Size) -> bool:
    return tile.area > 0 and level.width % tile.width == 0 == level.height % tile.height


def _padded_factors(full: Size, level: Size, tile: Size) -> list[int]:
    """Return the whole factors after which less than a tile, or a pixel, is left over.

    A level of one tile hides every larger factor; a few of them are returned.
    """
    axes = list(zip(_lengths(full), _lengths(level), _lengths(tile), strict=True))
    if not level.area:
        return []
    lowest = max(math.floor(min(a / b for a, b, _ in axes)), 1)
    highest = min(4 * max(math.ceil(a / b) for a, b, _ in axes), MAX_FACTOR)
    return [
        factor
        for factor in range(lowest, highest + 1)
        if all(-1 < b - a / factor < t for a, b, t in axes)
    ]


def _is_reduction(full: Size, level: Size, stated: float) -> bool:
    if not stated > 1 - MAX_MISFIT:
        return False
    lengths = zip(_lengths(full), _lengths(level), strict=True)
    return all(abs(a / stated - b) <= max(1.5, MAX_MISFIT * b) for a, b in lengths)


def _lengths(size: Size) -> tuple[int, int]:
    return size.width, size.height


def _bounded_size(level: Size, bounds: Rectangle, downsample: float, full: Size) -> Size:
    """Return the size of the part of a level that shows the bounds, at least one pixel."""
    if bounds == Rectangle.whole(full):
        return level
    return Size(
        max(min(round(bounds.size.width / downsample), level.width), 1),
        max(min(round(bounds.size.height / downsample), level.height), 1),
    )
