"""Pieces of a slide at reading magnification: typical ones, uncertain ones, the worst seam."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from lds_path.geometry import Size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass
    from lds_path.formats.labels.label_images import Labels
    from lds_path.formats.pyramid import Pyramid
    from lds_path.quality.picture_scale import PictureScale

CROP_COUNT = 6
CROP_UM = 256.0
CROP_MPP = 0.5
TYPICAL, WORST_SEAM, DOUBTFUL = "Typical", "Where regions agree least", "Least confident"
"""What a crop shows: the class follows the first."""
MAX_TYPICAL = 4
"""Classes that get a typical crop: those with the largest areas."""


@dataclass(frozen=True)
class Crop:
    """The middle of a crop, and why it is shown."""

    title: str
    x: float
    """Working pixel of the middle."""
    y: float


@dataclass(frozen=True)
class CropPicture:
    """A crop with its labels on the same pixels."""

    title: str
    left: int
    """Corner in working pixels."""
    top: int
    mpp: float
    """Microns per pixel of the picture."""
    picture: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def choose_crops(
    scale: PictureScale,
    tissue: NDArray[np.bool_],
    labels: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    classes: Sequence[LabelClass],
    worst_seam: tuple[float, float] | None,
) -> list[Crop]:
    """Return up to six crops, of which none lies in the middle of another.

    First a typical crop of each class: full of it, and with about its mean confidence; then the
    worst seam; the rest are the least confident ones.

    Parameters
    ----------
    scale
        Of the next three.
    tissue, labels, confidence
        Of the slide, (H, W); confidence is NaN where nothing was analysed.
    classes
        Of the labels.
    worst_seam
        Working pixel (x, y), None where no regions disagree.
    """
    side = max(round(CROP_UM / scale.mpp), 1)
    known = np.where(np.isnan(confidence) | ~tissue, np.float32(0), confidence)
    free = ~np.isnan(confidence) & tissue
    chosen: list[Crop] = []

    def take(title: str, score: NDArray[np.float32]) -> None:
        score = np.where(free, score, -np.inf)
        row, column = np.unravel_index(int(score.argmax()), score.shape)
        if np.isfinite(score[row, column]):
            x, y = float(column) + 0.5, float(row) + 0.5
            add(Crop(title, x * scale.downsample, y * scale.downsample))

    def add(crop: Crop) -> None:
        column, row = int(crop.x / scale.downsample), int(crop.y / scale.downsample)
        half = max(side // 2, 1)
        free[max(row - half, 0) : row + half, max(column - half, 0) : column + half] = False
        chosen.append(crop)

    for label_class in _largest(classes, labels):
        inside = labels == label_class.value
        typical = _around(inside, side) - abs(_around(known, side) - known[inside].mean())
        take(f"{TYPICAL} {label_class.name}", np.where(inside, typical, -np.inf))
    if worst_seam is not None:
        add(Crop(WORST_SEAM, *worst_seam))
    doubt = _around(np.where(free, 1 - known, 0), side)
    while len(chosen) < CROP_COUNT and free.any():
        take(DOUBTFUL, doubt)
    return chosen


def read_crop(pyramid: Pyramid, labels: Labels, crop: Crop) -> CropPicture:
    """Return a crop of 256 microns at about 0.5 um per pixel, shifted to lie within the slide."""
    level = pyramid.level_near(CROP_MPP)
    extent, scale = pyramid.level_size(level), 2**level
    mpp = pyramid.frame.mpp * scale
    side = max(round(CROP_UM / mpp), 1)
    left = _corner(crop.x / scale, side, extent.width)
    top = _corner(crop.y / scale, side, extent.height)
    size = Size(min(side, extent.width), min(side, extent.height))
    return CropPicture(
        crop.title,
        left * scale,
        top * scale,
        mpp,
        pyramid.read(level, left, top, size),
        _read_labels(labels, left, top, size, mpp / labels.mpp),
    )


def _largest(classes: Sequence[LabelClass], labels: NDArray[np.uint8]) -> list[LabelClass]:
    """Return the classes with the largest areas, in their own order."""
    areas = np.bincount(labels.ravel(), minlength=256)
    present = [item for item in classes if areas[item.value]]
    largest = sorted(present, key=lambda item: -areas[item.value])[:MAX_TYPICAL]
    return [item for item in present if item in largest]


def _around(values: NDArray[np.generic], side: int) -> NDArray[np.float32]:
    """Return the mean over the square of a crop around each pixel; beyond the edge is 0."""
    mean: NDArray[np.float32] = ndimage.uniform_filter(
        values.astype(np.float32), side, mode="constant"
    )
    return mean


def _corner(middle: float, side: int, length: int) -> int:
    return max(min(round(middle - side / 2), length - side), 0)


def _read_labels(
    labels: Labels, left: int, top: int, size: Size, scale: float
) -> NDArray[np.uint8]:
    """Return the labels at the centres of a crop's pixels, `scale` label pixels each."""
    columns, rows = (
        ((start + np.arange(count) + 0.5) * scale).astype(int)
        for start, count in ((left, size.width), (top, size.height))
    )
    window = labels.read(
        0,
        int(columns[0]),
        int(rows[0]),
        Size(int(columns[-1] - columns[0]) + 1, int(rows[-1] - rows[0]) + 1),
    )
    chosen: NDArray[np.uint8] = window[rows[:, None] - rows[0], columns - columns[0]]
    return chosen
