"""Agreement of two label images, from counts of their pixels.

Convention: confusion[i, j] counts the pixels that are i in the reference and j in the prediction;
0 is background, the classes start at 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import ndimage

from lds_path.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Overlap:
    """Pixels of each class; the last axis of each array counts the classes."""

    hit: NDArray[np.int64]
    """In both images."""
    reference: NDArray[np.int64]
    predicted: NDArray[np.int64]

    def dice(self) -> NDArray[np.float64]:
        """Return 2 TP / (2 TP + FP + FN); NaN where neither image has the class."""
        return _ratio(2 * self.hit, self.reference + self.predicted)

    def iou(self) -> NDArray[np.float64]:
        """Return TP / (TP + FP + FN); NaN where neither image has the class."""
        return _ratio(self.hit, self.reference + self.predicted - self.hit)

    def __add__(self, other: Overlap) -> Overlap:
        return Overlap(
            self.hit + other.hit,
            self.reference + other.reference,
            self.predicted + other.predicted,
        )


def empty_confusion(class_count: int) -> NDArray[np.int64]:
    """Return a confusion without pixels, (class_count + 1, class_count + 1)."""
    return np.zeros((class_count + 1, class_count + 1), np.int64)


def count_confusion(
    reference: NDArray[np.uint8], predicted: NDArray[np.uint8], class_count: int
) -> NDArray[np.int64]:
    """Return how often each pair of values occurs, (class_count + 1, class_count + 1).

    Parameters
    ----------
    reference, predicted
        Values from 0 to the number of classes, of one shape.
    class_count
        Number of classes, without background.

    Raises
    ------
    ValueError
        If a value is neither background nor a class.
    """
    pairs = np.zeros((256, 256), np.int64)
    _count_pairs(reference.ravel(), predicted.ravel(), pairs)
    side = class_count + 1
    if pairs[side:].any() or pairs[:, side:].any():
        raise ValueError(f"values beyond those of {class_count} classes")
    return pairs[:side, :side].copy()


@compiled
def _count_pairs(
    reference: NDArray[np.uint8], predicted: NDArray[np.uint8], pairs: NDArray[np.int64]
) -> None:
    for i in range(len(reference)):
        pairs[reference[i], predicted[i]] += 1


def overlap_of(confusion: NDArray[np.int64]) -> Overlap:
    """Return the pixels of the classes, without background, of confusions (..., C + 1, C + 1)."""
    hit = confusion.diagonal(axis1=-2, axis2=-1)
    reference, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    return Overlap(hit[..., 1:].copy(), reference[..., 1:], predicted[..., 1:])


def near_boundary(
    values: NDArray[np.uint8], scored: NDArray[np.bool_], distance: int
) -> NDArray[np.bool_]:
    """Return the scored pixels that have another value no further away than a distance.

    This is the band of Boundary IoU (Cheng 2021), of all classes at once: what an erosion of each
    class by a square of side 2 distance + 1 removes. Pixels that are not scored and the edges of
    the array are no boundary.

    Parameters
    ----------
    values
        Values up to 253, (H, W).
    scored
        Where the reference is known, (H, W).
    distance
        Rows or columns, whichever are more.
    """
    side = 2 * distance + 1
    shifted = values + np.uint8(1)
    low = ndimage.minimum_filter(np.where(scored, shifted, 255), side, mode="nearest")
    high = ndimage.maximum_filter(np.where(scored, shifted, 0), side, mode="nearest")
    band: NDArray[np.bool_] = scored & (low != high)
    return band


def count_boundary(
    reference: NDArray[np.uint8],
    predicted: NDArray[np.uint8],
    bands: tuple[NDArray[np.bool_], NDArray[np.bool_]],
    class_count: int,
) -> Overlap:
    """Return the pixels of the classes within the bands of the reference and the prediction."""
    reference_band, predicted_band = bands
    hit = reference_band & predicted_band & (reference == predicted)
    labels = (reference[hit], reference[reference_band], predicted[predicted_band])
    return Overlap(*(np.bincount(values, minlength=class_count + 1)[1:] for values in labels))


def score_columns(
    pixels: Overlap, band: Overlap, round_trip: Overlap, lattice: Overlap, mpp: float
) -> dict[str, list[Any]]:
    """Return name -> value of each class for all scores and areas of a slide.

    Parameters
    ----------
    pixels, band
        Of the label image, whole and within the bands along the outlines.
    round_trip
        Of the reference labels carried to the lattice and back.
    lattice
        Of the samples.
    mpp
        Microns per pixel.
    """
    pixel_mm2 = (mpp / 1000) ** 2
    columns = {
        "dice": pixels.dice(),
        "iou": pixels.iou(),
        "boundary_iou": band.iou(),
        "round_trip_dice": round_trip.dice(),
        "round_trip_iou": round_trip.iou(),
        "lattice_dice": lattice.dice(),
        "lattice_iou": lattice.iou(),
        "reference_mm2": pixels.reference * pixel_mm2,
        "predicted_mm2": pixels.predicted * pixel_mm2,
    }
    overlaps = {"": pixels, "boundary_": band, "round_trip_": round_trip}
    for prefix, overlap in overlaps.items():
        for part in ("hit", "reference", "predicted"):
            columns[f"{prefix}{part}_px"] = getattr(overlap, part)
    return {name: values.tolist() for name, values in columns.items()}


def _ratio(part: NDArray[np.number], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
