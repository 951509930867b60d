"""Where the tissue is, from a coarse RGB view of a slide.

Everything is measured as optical density against the slide's own glass colour, so that a faint
stain on clean glass counts and a grey scanner background does not. Colour counts more than
darkness: stains are coloured; dust, shadows and the seams of a scan are grey.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.morphology import remove_small_holes, remove_small_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

WHITE = (244.0, 244.0, 244.0)
"""The glass colour to assume where a view shows no glass at all."""

_FAINTEST = 0.02
_CLEAREST = 0.06
"""Bounds of the staining above which a pixel is tissue; the strength of the stain decides."""
_SHADE = 0.02
"""Darkness without colour that seams, shadows and uneven light reach on bare glass."""
_INK = 0.12
"""Difference of optical densities between two colours that ink exceeds."""
_MIN_INK_UM2 = 30_000.0
"""A pen stroke is wider than any deposit of pigment."""
_MAX_PALE_SHARE = 0.6
"""Ink is of one strength. What has the colour of ink but is often pale is a stain: trichrome,
Alcian blue."""
_RIM_UM = 60.0
"""How far the blurred edge of a stroke or of the scanned area reaches."""
_MAX_SHIFTS = 8
"""Pixels; farther away, a distance transform is faster than shifted copies."""


def find_tissue(
    view: NDArray[np.uint8],
    mpp: float,
    *,
    min_tissue_um2: float,
    max_hole_um2: float,
    background: int | None = None,
) -> NDArray[np.bool_]:
    """Return where the view shows tissue.

    Pen marks and the black beyond the edge of a scan are not tissue.

    Parameters
    ----------
    view
        Brightfield RGB view at about 8 microns per pixel, (H, W, 3).
    mpp
        Microns per pixel of the view.
    min_tissue_um2
        Smaller pieces of tissue are left out.
    max_hole_um2
        Smaller holes in the tissue are filled.
    background
        Grey value that stands for glass which was not stored; it may differ from the glass.

    Returns
    -------
    NDArray
        Tissue mask, (H, W).
    """
    empty = (view == background).all(axis=2) if background is not None else None
    density = optical_density(view, glass_color(view, empty))
    if empty is not None:
        density[empty] = 0
    staining = ndimage.gaussian_filter(_staining(density), 6.0 / mpp)
    tissue = staining > _threshold(staining)
    tissue &= ~find_ink(density, tissue, mpp)
    tissue &= ~find_black(view, density, mpp)
    tissue = _close(tissue, 16.0 / mpp)
    tissue = _fill_holes(tissue, max_hole_um2 / mpp**2)
    return _drop_specks(tissue, min_tissue_um2 / mpp**2)


def is_dark_field(view: NDArray[np.uint8]) -> bool:
    """Return whether the view is light on dark, as in fluorescence, instead of stain on glass.

    Parameters
    ----------
    view
        RGB view, (H, W, 3).
    """
    brightness = view.mean(axis=2, dtype=np.float32)
    return bool((brightness < 60).mean() > 0.5 and (brightness > 120).mean() < 0.1)


def glass_color(
    view: NDArray[np.uint8], empty: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """Return the colour of the empty glass, or `WHITE` where none is to be seen.

    Glass is bright and smooth, neutral or of any tint but the pink of a faint stain. Pure white
    counts only where nothing else does: scanners fill with it what they did not scan.

    Parameters
    ----------
    view
        RGB view, (H, W, 3).
    empty
        Where the view shows a substitute for glass, (H, W); it too counts only if need be.

    Returns
    -------
    NDArray
        Red, green and blue, (3,), float32 in [1, 255].
    """
    lowest, highest = view.min(axis=2), view.max(axis=2)
    pink = np.minimum(view[..., 0], view[..., 2]) > view[..., 1] + np.int16(6)
    glass = (lowest >= 180) & (highest - lowest <= 40) & ~pink & (_local_range(highest) <= 6)
    scanned = glass & (lowest < 255) & (True if empty is None else ~empty)
    if scanned.sum() > 0.002 * glass.size:
        glass = scanned
    if glass.sum() < 0.0005 * glass.size or not glass.any():
        return np.array(WHITE, np.float32)
    candidates = view[glass]
    brightness = candidates.mean(axis=1, dtype=np.float32)
    brightest = np.abs(brightness - np.percentile(brightness, 90)) <= 6
    colour: NDArray[np.float32] = np.median(candidates[brightest], axis=0).astype(np.float32)
    return colour


def optical_density(view: NDArray[np.uint8], glass: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the optical density of each colour, 0 for glass and brighter.

    Returns
    -------
    NDArray
        Density, (H, W, 3), float32 in [0, 2.41].
    """
    intensity = np.maximum(np.arange(256, dtype=np.float32), 1.0)
    table = np.log10(np.maximum(glass[:, None] / intensity, 1.0))  # (3, 256)
    return np.stack([table[band][view[..., band]] for band in range(3)], axis=2)


def find_ink(
    density: NDArray[np.float32], foreground: NDArray[np.bool_], mpp: float
) -> NDArray[np.bool_]:
    """Return where a pen has marked the slide in green, blue, red or black.

    Parameters
    ----------
    density
        Optical density, (H, W, 3).
    foreground
        Tissue and ink together, (H, W); tells a pen from a stain of the same colour.
    mpp
        Microns per pixel.
    """
    found = np.zeros(foreground.shape, np.bool_)
    for hue, strong in _ink_hues(density):
        if strong.sum() * mpp**2 < _MIN_INK_UM2:
            continue
        ink = _drop_specks(_open(strong, 8.0 / mpp), _MIN_INK_UM2 / mpp**2)
        if not ink.any():
            continue
        apart = ~within_reach(ink, 16.0 / mpp)
        if (foreground & (hue > 0.06) & apart).sum() <= _MAX_PALE_SHARE * ink.sum():
            found |= _grow(ink, hue > 0.02, _RIM_UM / mpp)
    return found


def find_black(
    view: NDArray[np.uint8], density: NDArray[np.float32], mpp: float
) -> NDArray[np.bool_]:
    """Return the black beyond the scanned glass, black ink, and the grey edges of both."""
    highest = view.max(axis=2)
    black = (highest < 70) & (highest - view.min(axis=2) < 25)
    black = _drop_specks(_open(black, 8.0 / mpp), _MIN_INK_UM2 / mpp**2)
    if not black.any():
        return black
    darkness = density.mean(axis=2)
    grey = np.ptp(density, axis=2) < 0.04 + 0.15 * darkness
    return _grow(black, grey, _RIM_UM / mpp)


def _staining(density: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return twice the colourfulness plus the darkness that is no shade, (H, W): 0 for glass."""
    darkness = np.maximum(density.mean(axis=2) - _SHADE, 0.0)
    staining: NDArray[np.float32] = darkness + 2.0 * np.ptp(density, axis=2)
    return staining


def _threshold(staining: NDArray[np.float32]) -> float:
    """Return the staining above which a pixel is tissue.

    Otsu's threshold lies halfway up a typical stain, so a quarter of it follows the strength of
    the stain; the bounds hold where there is no glass, or nothing else.
    """
    halfway = float(threshold_otsu(staining)) if np.ptp(staining) > 0 else 0.0
    return min(max(halfway / 4.0, _FAINTEST), _CLEAREST)


def _ink_hues(
    density: NDArray[np.float32],
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
    """Yield how green, blue and red each pixel is, and where that is ink, (H, W) each.

    Haematoxylin, eosin, PAS and DAB have none of these hues. One at a time: a large slide's view
    has tens of megapixels.
    """
    red, green, blue = density[..., 0], density[..., 1], density[..., 2]
    is_green = np.minimum(red, blue) - green
    yield is_green, is_green > _INK
    del is_green
    is_blue = np.where(blue < green, red - green, 0.0)
    yield is_blue, (is_blue > _INK) & (red > 0.5)  # aniline blue is paler
    del is_blue
    is_red = np.where(blue > 0.9 * green, green - 4.0 * red, 0.0)  # eosin lets more blue through
    yield is_red, is_red > _INK


def _local_range(band: NDArray[np.uint8]) -> NDArray[np.uint8]:
    brightest: NDArray[np.uint8] = ndimage.maximum_filter(band, 3)
    darkest: NDArray[np.uint8] = ndimage.minimum_filter(band, 3)
    return brightest - darkest


def _grow(seed: NDArray[np.bool_], within: NDArray[np.bool_], distance: float) -> NDArray[np.bool_]:
    """Return the seed and what of `within` touches it and lies at most so far from it."""
    near = within_reach(seed, distance)
    grown: NDArray[np.bool_] = ndimage.binary_propagation(seed, mask=seed | (within & near))
    fringe: NDArray[np.bool_] = ndimage.binary_dilation(grown) & near
    return fringe


def _open(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    if not mask.any():
        return mask
    inner = ~within_reach(~_pad(mask), radius)[1:-1, 1:-1]
    return within_reach(inner, radius) & mask


def _close(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    if not mask.any():
        return mask
    closed = ~within_reach(~_pad(within_reach(mask, radius)), radius)[1:-1, 1:-1]
    return closed | mask


def within_reach(mask: NDArray[np.bool_], distance: float) -> NDArray[np.bool_]:
    """Return where the mask is at most so many pixels away, centre to centre.

    For a few pixels, shifted copies give what a distance transform gives, ten times as fast.
    """
    if not mask.any():
        return mask
    reach = int(distance)
    if reach > _MAX_SHIFTS:
        return np.asarray(ndimage.distance_transform_edt(~mask) <= distance)
    height, width = mask.shape
    near = np.zeros((height + 2 * reach, width), np.bool_)
    for half in range(int(distance) + 1):  # pixels to the left and right of the centre
        rows = math.isqrt(int(distance**2 - half**2))
        wide = mask.copy() if half == 0 else np.zeros_like(mask)
        if half:
            wide[:, half:] |= mask[:, :-half]
            wide[:, :-half] |= mask[:, half:]
        for row in range(reach - rows, reach + rows + 1):
            near[row : row + height] |= wide
    return near[reach : reach + height]


def _pad(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask with its edge repeated, so that the view's edge is no edge of a shape."""
    return np.pad(mask, 1, mode="edge")


def _fill_holes(mask: NDArray[np.bool_], max_area: float) -> NDArray[np.bool_]:
    filled: NDArray[np.bool_] = remove_small_holes(mask, max_size=int(max_area))
    return filled


def _drop_specks(mask: NDArray[np.bool_], min_area: float) -> NDArray[np.bool_]:
    kept: NDArray[np.bool_] = remove_small_objects(mask, max_size=max(int(min_area) - 1, 0))
    return kept
