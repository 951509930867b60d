"""How many samples lie on borders, counted in a bounded number of regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from lds_path.formats.predictions import decode_grid
from lds_path.formats.regions import spread_evenly
from lds_path.geometry import Size

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.formats.labels.label_images import Labels
    from lds_path.formats.predictions import Predictions
    from lds_path.geometry import Region

REGION_COUNT = 16
"""Regions that are read, evenly spread over all of them."""
REACH_UM = 10.0
"""Distance within which a sample counts as on a border."""
LABEL_MPP = 2.0
"""Labels are read at about this resolution."""


@dataclass(frozen=True)
class BorderShare:
    """Percentage of the samples in tissue, and of the tissue, that lies on borders."""

    samples_percent: float | None
    area_percent: float | None
    """Also the percentage for the samples of the uniform grid."""


def read_border_share(predictions: Predictions, labels: Labels, mpp: float) -> BorderShare:
    """Return the shares on borders between classes and on the border of the tissue.

    Parameters
    ----------
    predictions, labels
        Of one slide.
    mpp
        Microns per working pixel.
    """
    counts = np.zeros(4, np.int64)
    for region in spread_evenly(predictions.regions, REGION_COUNT):
        window = _read_region(labels, region, mpp)
        positions = decode_grid(predictions.read_grid(region.index))
        pixels_per_um = window.shape[1] / (region.size.width * mpp)
        counts += count_on_borders(window, positions, REACH_UM * pixels_per_um)
    on_border, samples, border, area = counts.tolist()
    return BorderShare(
        samples_percent=100 * on_border / samples if samples else None,
        area_percent=100 * border / area if area else None,
    )


def count_on_borders(
    labels: NDArray[np.uint8], positions: NDArray[np.float32], reach: float
) -> NDArray[np.int64]:
    """Return samples on borders, samples with a label, pixels on borders, pixels with a label.

    Convention: positions are (x, y) in [-1, 1], the outer pixel edges at -1 and 1.

    Parameters
    ----------
    labels
        Of a region, (H, W); 0 has no label.
    positions
        Sampling grid, (h, w, 2).
    reach
        Of a border, in pixels.
    """
    width = 2 * max(round(reach), 1) + 1
    known = labels > 0
    border = ndimage.maximum_filter(labels, width) != ndimage.minimum_filter(labels, width)
    border &= known
    height, length = labels.shape
    columns = np.minimum(((positions[..., 0] + 1) / 2 * length).astype(int), length - 1)
    rows = np.minimum(((positions[..., 1] + 1) / 2 * height).astype(int), height - 1)
    masks = (border[rows, columns], known[rows, columns], border, known)
    return np.array([np.count_nonzero(mask) for mask in masks], np.int64)


def _read_region(labels: Labels, region: Region, mpp: float) -> NDArray[np.uint8]:
    """Return the labels of a region at the level nearest to 2 um per pixel; 0 off the slide."""
    level = round(np.log2(LABEL_MPP / labels.mpp))
    level = min(max(level, 0), labels.level_count - 1)
    scale = mpp / (labels.mpp * 2**level)
    left, top, width, height = (
        round(length * scale)
        for length in (region.left, region.top, region.size.width, region.size.height)
    )
    return labels.read(level, left, top, Size(max(width, 1), max(height, 1)))
