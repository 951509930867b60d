"""Artefacts of a slide, from a coarse view: folds, dark spots, ink, air bubbles, edges of glass.

The classes are those of HistoQC (Janowczyk et al. 2019) and GrandQC (Weng et al. 2024), found
here by rules on optical density. The rules miss faint artefacts; they are meant to show which
slides to look at, not to outline every artefact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage
from skimage.measure import label, regionprops
from skimage.morphology import disk
from skimage.transform import hough_line, hough_line_peaks

from lds_path.pixels.row_strips import DensityView
from lds_path.pixels.tissue import drop_specks, find_ink, find_surround

if TYPE_CHECKING:
    from numpy.typing import NDArray

KINDS = ("fold", "dark", "pen", "bubble")
"""Fields of `Artefacts`, in the order of pages and pictures."""

_TYPICAL = 0.1
"""Smallest optical density of the pixels that count for the density of typical tissue."""
_SURROUNDINGS_UM = 300.0
_THICK = 2.0
"""A fold has two or three layers, so at least twice the density of its surroundings."""
_SAME_HUE = 0.98
"""Cosine between the densities of a fold and its surroundings; dense nuclei are bluer."""
_OPAQUE = 0.95
"""Mean optical density that no single layer of tissue has at this scale."""
_MIN_FOLD_UM2 = 4_000.0
_MIN_SPOT_UM2 = 500.0
_PEN_REACH_UM = 200.0
_RIM = 0.08
"""Optical density by which the rim of a bubble or an edge of glass exceeds what is beside it."""
_RIM_WIDTH_UM = 60.0
_MIN_BUBBLE_UM2 = 15_000.0
_ROUND = 0.85
"""Share of its convex hull, and of its ellipse, that a bubble fills."""
_MIN_EDGE_UM = 1_500.0
_EDGE_FILLED = 0.7


@dataclass(frozen=True)
class Artefacts:
    """Where a view has artefacts, (H, W) each."""

    fold: NDArray[np.bool_]
    """Tissue in more than one layer."""
    dark: NDArray[np.bool_]
    """Black spots on tissue: dirt, pigment, foreign bodies."""
    pen: NDArray[np.bool_]
    """Ink on tissue or near it."""
    bubble: NDArray[np.bool_]
    """Air bubbles, their rims, and straight edges of a cover slip."""

    def items(self) -> list[tuple[str, NDArray[np.bool_]]]:
        """Return the masks by name."""
        return [(kind, getattr(self, kind)) for kind in KINDS]


def find_artefacts(
    view: NDArray[np.uint8],
    tissue: NDArray[np.bool_],
    mpp: float,
    *,
    glass: NDArray[np.float32],
    background: int | None = None,
) -> Artefacts:
    """Return the artefacts in a view at 8 microns per pixel or coarser.

    Parameters
    ----------
    view
        Brightfield RGB, (H, W, 3).
    tissue
        Where tissue was found, (H, W); ink and black may have been left out of it.
    mpp
        Microns per pixel of the view.
    glass
        Colour of the empty glass, see `white_reference`.
    background
        Grey value that stands for glass that was not stored.
    """
    densities = DensityView(view, glass, background)
    density = np.ascontiguousarray(densities.whole())
    near = _grow(tissue, _PEN_REACH_UM / mpp)
    pen = find_ink(densities, tissue, mpp) & near
    dark = _find_dark(view, mpp) & near & ~(pen | find_surround(view, mpp))
    rims = _find_rims(density, mpp)
    bubble = (_find_bubbles(rims, mpp) & near) | _find_edges(rims, mpp)
    fold = _find_folds(density, tissue & ~(pen | dark | bubble), mpp)
    return Artefacts(fold=fold, dark=dark & ~bubble, pen=pen, bubble=bubble)


def _find_folds(
    density: NDArray[np.float32], tissue: NDArray[np.bool_], mpp: float
) -> NDArray[np.bool_]:
    """Return tissue that is denser than its surroundings by a layer, with the same hue.

    Density as Kothari et al. 2013 use it against the slide's own typical tissue; the hue tells a
    fold from an aggregate of nuclei.
    """
    darkness = density.mean(axis=2)
    stained = tissue & (darkness > _TYPICAL)
    if not stained.any():
        return np.zeros(tissue.shape, np.bool_)
    smooth = ndimage.gaussian_filter(density, (8 / mpp, 8 / mpp, 0))
    around = _surroundings(density, stained, _SURROUNDINGS_UM / mpp)
    typical = np.maximum(around.mean(axis=2), np.median(darkness[stained]))
    lengths = np.linalg.norm(smooth, axis=2) * np.linalg.norm(around, axis=2)
    alike = np.einsum("hwc,hwc->hw", smooth, around) > _SAME_HUE * lengths
    darkness = smooth.mean(axis=2)
    fold = ((darkness > _THICK * typical) & alike) | (darkness > _OPAQUE)
    return drop_specks(fold & tissue, _MIN_FOLD_UM2 / mpp**2)


def _surroundings(
    density: NDArray[np.float32], stained: NDArray[np.bool_], distance: float
) -> NDArray[np.float32]:
    """Return the mean density of stained tissue around each pixel, computed coarsely, (H, W, 3)."""
    step = max(int(distance / 4), 1)
    weight = _reduce(stained[..., None].astype(np.float32), step)
    total = _reduce(density * stained[..., None], step)
    spread = (distance / step, distance / step, 0)
    mean = ndimage.gaussian_filter(total, spread)
    mean /= np.maximum(ndimage.gaussian_filter(weight, spread), 1e-6)
    rows, columns = (np.arange(side) // step for side in stained.shape)
    enlarged: NDArray[np.float32] = mean[rows[:, None], columns]
    return enlarged


def _reduce(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Return the sums over squares of `step` pixels; the last ones may be smaller."""
    rows, columns = (np.arange(0, side, step) for side in values.shape[:2])
    sums: NDArray[np.float32] = np.add.reduceat(np.add.reduceat(values, rows, 0), columns, 1)
    return sums


def _find_dark(view: NDArray[np.uint8], mpp: float) -> NDArray[np.bool_]:
    """Return black without hue: no stain absorbs red as it absorbs green."""
    highest = view.max(axis=2)
    dark = (highest < 80) & (highest - view.min(axis=2) < 30)
    return drop_specks(dark, _MIN_SPOT_UM2 / mpp**2)


def _find_bubbles(rims: NDArray[np.bool_], mpp: float) -> NDArray[np.bool_]:
    """Return round areas that a thin grey rim encloses, with the rim."""
    rim = ndimage.binary_closing(rims, disk(2))
    bubbles = np.zeros(rim.shape, np.bool_)
    inside = label(ndimage.binary_fill_holes(rim) & ~rim, connectivity=1)
    for area in regionprops(inside):
        if area.area * mpp**2 < _MIN_BUBBLE_UM2:
            continue
        ellipse = np.pi / 4 * area.axis_major_length * area.axis_minor_length
        if min(area.solidity, area.area / ellipse) > _ROUND and area.eccentricity < 0.85:
            bubbles[inside == area.label] = True
    if not bubbles.any():
        return bubbles
    touching: NDArray[np.bool_] = ndimage.binary_dilation(
        bubbles, disk(2), mask=bubbles | rim, iterations=max(round(_RIM_WIDTH_UM / 2 / mpp), 1)
    )
    return touching


def _find_edges(rims: NDArray[np.bool_], mpp: float) -> NDArray[np.bool_]:
    """Return straight grey lines that are long enough to be the edge of a cover slip."""
    shortest = _MIN_EDGE_UM / mpp
    edges = np.zeros(rims.shape, np.bool_)
    if min(rims.sum(), max(rims.shape)) < shortest * _EDGE_FILLED:
        return edges
    angles = np.linspace(-np.pi / 2, np.pi / 2, 360, endpoint=False)
    votes, angles, distances = hough_line(rims, angles)
    _, chosen, offsets = hough_line_peaks(
        votes, angles, distances, threshold=shortest * _EDGE_FILLED, num_peaks=8
    )
    y, x = np.nonzero(rims)
    for angle, offset in zip(chosen, offsets, strict=True):
        across = np.abs(x * np.cos(angle) + y * np.sin(angle) - offset) <= 2
        along = (y * np.cos(angle) - x * np.sin(angle))[across]
        filled = np.unique(along.astype(int)).size
        if filled > _EDGE_FILLED * max(np.ptp(along), shortest):
            edges[y[across], x[across]] = True
    return edges


def _find_rims(density: NDArray[np.float32], mpp: float) -> NDArray[np.bool_]:
    """Return thin lines without hue that are darker than both of their sides."""
    darkness, hue = density.mean(axis=2), np.ptp(density, axis=2)
    width = 2 * max(round(_RIM_WIDTH_UM / 2 / mpp), 1) + 1
    thin = darkness - ndimage.grey_opening(darkness, (width, width)) > _RIM
    rims: NDArray[np.bool_] = thin & (hue < 0.04 + 0.2 * darkness)
    return rims


def _grow(mask: NDArray[np.bool_], distance: float) -> NDArray[np.bool_]:
    """Return the mask and about everything within a distance of it."""
    near: NDArray[np.bool_] = ndimage.maximum_filter(mask, 2 * round(distance) + 1)
    return near
