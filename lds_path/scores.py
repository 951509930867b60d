"""Agreement of two label images, from counts of their pixels.

Convention: confusion[i, j] counts the pixels of which the reference says i and the prediction j;
0 is background, 1 and up are the classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    """
    side = class_count + 1
    pairs = reference.astype(np.intp).ravel() * side + predicted.ravel()
    return np.bincount(pairs, minlength=side**2).reshape(side, side).astype(np.int64)


def dice(confusion: NDArray[np.int64]) -> list[float | None]:
    """Return Dice, 2 TP / (2 TP + FP + FN), of each class; None where neither image has it."""
    hit, reference, predicted = _marginals(confusion)
    return _ratios(2 * hit, reference + predicted)


def iou(confusion: NDArray[np.int64]) -> list[float | None]:
    """Return IoU, TP / (TP + FP + FN), of each class; None where neither image has it."""
    hit, reference, predicted = _marginals(confusion)
    return _ratios(hit, reference + predicted - hit)


def _marginals(
    confusion: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    return confusion.diagonal()[1:], confusion.sum(axis=1)[1:], confusion.sum(axis=0)[1:]


def _ratios(part: NDArray[np.int64], whole: NDArray[np.int64]) -> list[float | None]:
    return [
        count / total if total else None
        for count, total in zip(part.tolist(), whole.tolist(), strict=True)
    ]
