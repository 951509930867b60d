"""How sure a gain is: an interval of it over the slides that both ways were scored on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import bootstrap

from lds_path.reference.scores import overlap_of

if TYPE_CHECKING:
    from numpy.typing import NDArray


def gain_interval(
    found: NDArray[np.int64], baseline: NDArray[np.int64]
) -> tuple[float, float] | None:
    """Return the interval of 95 % of a gain in mIoU, from slides drawn anew; None for one slide.

    mIoU counts the pixels of all slides together, and is the mean of the seeds. The same slides are
    drawn for both, so that a hard slide is hard for both.

    Parameters
    ----------
    found, baseline
        Confusions of each seed and slide, (seeds, slides, C + 1, C + 1); the seeds may differ in number.
    """
    count = found.shape[1]
    if count < 2:
        return None

    def gain(slides: NDArray[np.int64], axis: int = -1) -> NDArray[np.float64]:
        drawn = np.moveaxis(np.asarray(slides), axis, 0)  # (slides, resamples)
        return _miou(found, drawn) - _miou(baseline, drawn)

    interval = bootstrap(
        (np.arange(count),), gain, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return float(interval.low), float(interval.high)


def _miou(confusions: NDArray[np.int64], drawn: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the mIoU of drawn slides, (slides, ...), as (...)."""
    summed = sum(confusions[:, slides] for slides in drawn)  # (seeds, ..., C + 1, C + 1)
    iou = overlap_of(np.asarray(summed)).iou()
    return np.asarray(np.nanmean(iou, axis=-1).mean(axis=0))
