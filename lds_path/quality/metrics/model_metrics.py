"""The metrics of a model on a slide by name: its score, and how unlike the slide what it learned is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lds_path.quality.metrics.metric import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lds_path.formats.results import ModelSummary, SegmentResults


def model_metrics(
    segment: Sequence[SegmentResults], colours: NDArray[np.float32]
) -> dict[str, Metric]:
    """Return the score of the model, and how unlike its training slides a slide is.

    None of them for results of an older version, which do not describe the model.

    Parameters
    ----------
    segment
        Results of all shards.
    colours
        Of windows of the slide, see `pixels.stains.window_colours`.
    """
    about = segment[0].about
    if about is None:
        return {}
    return {
        "tune_dice": Metric(
            lowest_dice(about),
            "0 to 1",
            "Dice of the class that the model recognises worst, on slides that it did not learn"
            " from; from its card.",
            "segment",
        ),
        "unlike_stain_percent": Metric(
            _unlike_stain(about, colours),
            "% of windows",
            "Windows of tissue whose colours are farther from those of the training slides than 99 %"
            " of these: mean and deviation of the optical density of red, green and blue.",
            "tile: pyramid, segment",
        ),
        "unlike_tissue_percent": Metric(
            _unlike_tissue(segment),
            "% of patches",
            "Sixteenths of regions whose deepest features in the network are farther from those of"
            " the training slides than 99 % of these.",
            "segment",
        ),
    }


def lowest_dice(about: ModelSummary) -> float | None:
    """Return the tune Dice of the class that a model recognises worst; None without a score."""
    return min((dice for dice in about.tune_dice.values() if dice is not None), default=None)


def _unlike_stain(about: ModelSummary, colours: NDArray[np.float32]) -> float | None:
    if about.colours is None or not len(colours):
        return None
    return 100 * about.colours.beyond(colours) / len(colours)


def _unlike_tissue(segment: Sequence[SegmentResults]) -> float | None:
    patches = sum(shard.patches or 0 for shard in segment)
    return 100 * sum(shard.unlike_patches or 0 for shard in segment) / patches if patches else None
