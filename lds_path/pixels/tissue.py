"""Where the tissue is, from a coarse RGB view of a slide.

Everything is measured as optical density against the slide's own glass colour, so that a faint
stain on clean glass counts and a grey scanner background does not. Colour counts more than
darkness: stains are coloured; dust, shadows and the seams of a scan are grey.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.filters import threshold_otsu

from lds_path.pixels.components import drop_small_pieces, fill_small_holes
from lds_path.pixels.morphology import binary_closing, binary_opening, grow, within_reach
from lds_path.pixels.row_strips import (
    DensityView,
    highest_band,
    lowest_band,
    mean_of_bands,
    padded_strips,
    range_of_bands,
    strips,
)
from lds_path.pixels.white_reference import white_reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from numpy.typing import NDArray

    _Hue: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.float32]]
    _Condition: TypeAlias = Callable[[NDArray[np.float32]], NDArray[np.bool_]]

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
"""Ink has one strength. If its colour is often pale, it is a stain: trichrome, Alcian blue."""
_MIN_STAINED_SHARE = 0.1
"""Of a piece of tissue; fat of three slides has .4 and more, most deposits on their glass less than .1."""
_FILLED = 6
"""Mean of the colours that black without light does not exceed, after JPEG."""
_RIM_UM = 60.0
"""How far the blurred edge of a stroke or of the scanned area reaches."""


def find_tissue(
    view: NDArray[np.uint8],
    mpp: float,
    *,
    min_tissue_um2: float,
    max_hole_um2: float,
    background: int | None = None,
    threshold: float | None = None,
    follows_stain: bool = True,
) -> tuple[NDArray[np.bool_], float]:
    """Return where the view shows tissue, and the staining above which a pixel is tissue.

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
        Grey value that stands for glass that was not stored; it may differ from the glass.
    threshold
        Staining above which a pixel is tissue, as `_staining` measures it in optical densities; found
        in the view when not given.
    follows_stain
        Whether a threshold that is found follows the strength of the stain. A stain that is strong in
        places only, as DAB is, hides the paler tissue around them from one that does.

    Returns
    -------
    tuple
        Tissue mask, (H, W), and the threshold.
    """
    density = DensityView(view, white_reference(view, background=background), background)
    if threshold is None:
        threshold = _threshold(lambda: _smooth(density, mpp)) if follows_stain else _FAINTEST
    tissue = _find_stained(density, mpp, threshold)
    tissue &= ~find_ink(density, tissue, mpp)
    tissue &= ~find_black(view, density, mpp)
    tidied = tidy_tissue(tissue, mpp, min_tissue_um2=min_tissue_um2, max_hole_um2=max_hole_um2)
    return tidied, threshold


def tidy_tissue(
    tissue: NDArray[np.bool_], mpp: float, *, min_tissue_um2: float, max_hole_um2: float
) -> NDArray[np.bool_]:
    """Return a tissue mask, (H, W), with gaps closed, small holes filled and no specks.

    The parameters are those of `find_tissue`.
    """
    tissue = binary_closing(tissue, 16.0 / mpp)
    tissue = fill_small_holes(tissue, int(max_hole_um2 / mpp**2))
    return drop_specks(tissue, min_tissue_um2 / mpp**2)


def drop_unstained(tissue: NDArray[np.bool_], stained: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the tissue, (H, W), without its pieces that hold hardly any stain.

    What dried on the glass is as pale as fat; but fat comes with vessels and strands.

    Parameters
    ----------
    tissue
        As a network finds it, (H, W).
    stained
        Tissue as `find_tissue` finds it by its stain, (H, W).
    """
    pieces, count = ndimage.label(tissue)
    areas, stain = (np.bincount(pieces[mask], minlength=count + 1) for mask in (tissue, stained))
    kept = stain >= _MIN_STAINED_SHARE * areas
    kept[0] = False
    return np.asarray(kept[pieces])


def is_dark_field(view: NDArray[np.uint8]) -> bool:
    """Return whether the view is light on dark, as in fluorescence, instead of stain on glass.

    Black that a scanner fills in beyond what it scanned does not count.

    Parameters
    ----------
    view
        RGB view, (H, W, 3).
    """
    filled = dark = bright = 0
    for strip in strips(len(view)):
        total = view[strip].sum(axis=2, dtype=np.uint16)
        filled += int(np.count_nonzero(total <= 3 * _FILLED))
        dark += int(np.count_nonzero(total < 3 * 60))
        bright += int(np.count_nonzero(total > 3 * 120))
    pixels = view.shape[0] * view.shape[1]
    picture = pixels - filled
    return bool(dark > 0.5 * pixels and (not picture or bright < 0.1 * picture))


def find_ink(density: DensityView, foreground: NDArray[np.bool_], mpp: float) -> NDArray[np.bool_]:
    """Return where a pen has marked the slide in green, teal, blue, red or black.

    Parameters
    ----------
    density
        Of the view, (H, W, 3).
    foreground
        Tissue and ink together, (H, W); to distinguish a pen from a stain of the same colour.
    mpp
        Microns per pixel.
    """
    marked = np.zeros(foreground.shape, np.bool_)
    hues = (_greenness, None), (_tealness, None), (_blueness, _is_deep), (_redness, None)
    for hue, is_ink in hues:
        strong = density.where(_exceeds(hue, _INK, is_ink))
        if strong.sum() * mpp**2 < _MIN_INK_UM2:
            continue
        ink = drop_specks(binary_opening(strong, 8.0 / mpp), _MIN_INK_UM2 / mpp**2)
        if not ink.any():
            continue
        pale = density.where(_exceeds(hue, 0.06))
        pale &= foreground & ~within_reach(ink, 16.0 / mpp)
        if pale.sum() <= _MAX_PALE_SHARE * ink.sum():
            marked |= grow(ink, density.where(_exceeds(hue, 0.04)), _RIM_UM / mpp)
    return marked


def find_black(view: NDArray[np.uint8], density: DensityView, mpp: float) -> NDArray[np.bool_]:
    """Return the black beyond the scanned glass, black ink, and the grey edges of both."""
    black = np.empty(view.shape[:2], np.bool_)
    for strip in strips(len(view)):
        highest = highest_band(view[strip])
        black[strip] = (highest < 70) & (highest - lowest_band(view[strip]) < 25)
    black = drop_specks(binary_opening(black, 8.0 / mpp), _MIN_INK_UM2 / mpp**2)
    if not black.any():
        return black
    return grow(black, density.where(_is_grey_shade), _RIM_UM / mpp)


def find_surround(view: NDArray[np.uint8], mpp: float) -> NDArray[np.bool_]:
    """Return the black that a scanner fills in around what it scanned, up to the view's border.

    Black spots, whatever their size, are left out: they do not reach the border.

    Parameters
    ----------
    view
        RGB view, (H, W, 3).
    mpp
        Microns per pixel.
    """
    black = drop_specks(highest_band(view) <= 2 * _FILLED, _MIN_INK_UM2 / mpp**2)
    if not black.any():
        return black
    border = np.zeros_like(black)
    border[[0, -1]], border[:, [0, -1]] = True, True
    surround: NDArray[np.bool_] = ndimage.binary_propagation(border & black, mask=black)
    edge = max(round(_RIM_UM / 2 / mpp), 1)
    return within_reach(surround, edge)


def _find_stained(density: DensityView, mpp: float, threshold: float) -> NDArray[np.bool_]:
    """Return where the smoothed staining exceeds a threshold, (H, W)."""
    stained = np.empty(density.view.shape[:2], np.bool_)
    for strip, staining in _smooth(density, mpp):
        stained[strip] = staining > threshold
    return stained


def _smooth(density: DensityView, mpp: float) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Yield the smoothed staining, a strip of rows at a time, computed again for each that asks."""
    spread = 6.0 / mpp
    for strip, around, inner in padded_strips(len(density.view), int(4 * spread + 0.5)):
        staining = _staining(density.rows(around))
        yield strip, ndimage.gaussian_filter(staining, spread)[inner]


def _staining(density: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return twice the colourfulness plus the darkness beyond shade, (H, W): 0 for glass."""
    darkness = mean_of_bands(density)
    darkness -= _SHADE
    np.maximum(darkness, 0.0, out=darkness)
    darkness += 2.0 * range_of_bands(density)
    return darkness


def _threshold(read_staining: Callable[[], Iterator[tuple[slice, NDArray[np.float32]]]]) -> float:
    """Return the staining above which a pixel is tissue.

    Otsu's threshold lies halfway up a typical stain, so a quarter of it follows the strength of
    the stain; the bounds apply where there is no glass, or only glass.
    """
    ranges = [(staining.min(), staining.max()) for _, staining in read_staining()]
    lowest, highest = min(low for low, _ in ranges), max(high for _, high in ranges)
    halfway = 0.0
    if highest > lowest:
        histograms = [
            np.histogram(staining, 256, (lowest, highest)) for _, staining in read_staining()
        ]
        edges = histograms[0][1]
        middles = (edges[:-1] + edges[1:]) / 2
        halfway = float(threshold_otsu(hist=(sum(counts for counts, _ in histograms), middles)))
    return min(max(halfway / 4.0, _FAINTEST), _CLEAREST)


# Haematoxylin, eosin, PAS and DAB have none of the hues of ink.


def _greenness(density: NDArray[np.float32]) -> NDArray[np.float32]:
    greenness: NDArray[np.float32] = np.minimum(density[..., 0], density[..., 2]) - density[..., 1]
    return greenness


def _tealness(density: NDArray[np.float32]) -> NDArray[np.float32]:
    red, green, blue = density[..., 0], density[..., 1], density[..., 2]
    return np.where(blue > green, red - blue, 0.0)  # haematoxylin lets more blue through


def _blueness(density: NDArray[np.float32]) -> NDArray[np.float32]:
    red, green, blue = density[..., 0], density[..., 1], density[..., 2]
    return np.where(blue < green, red - green, 0.0)


def _is_deep(density: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return where blue is that of ink: aniline blue is paler."""
    return np.asarray(density[..., 0] > 0.5)


def _redness(density: NDArray[np.float32]) -> NDArray[np.float32]:
    red, green, blue = density[..., 0], density[..., 1], density[..., 2]
    return np.where(blue > 0.9 * green, green - 4.0 * red, 0.0)  # eosin lets more blue through


def _exceeds(hue: _Hue, threshold: float, extra: _Condition | None = None) -> _Condition:
    """Return the condition that a hue exceeds a threshold, and an extra one if given."""

    def condition(density: NDArray[np.float32]) -> NDArray[np.bool_]:
        strong = hue(density) > threshold
        return strong if extra is None else strong & extra(density)

    return condition


def _is_grey_shade(density: NDArray[np.float32]) -> NDArray[np.bool_]:
    grey: NDArray[np.bool_] = range_of_bands(density) < 0.04 + 0.15 * mean_of_bands(density)
    return grey


def drop_specks(mask: NDArray[np.bool_], min_area: float) -> NDArray[np.bool_]:
    """Return a mask, (H, W), without its pieces of fewer than `min_area` pixels."""
    return drop_small_pieces(mask, max(int(min_area) - 1, 0))
