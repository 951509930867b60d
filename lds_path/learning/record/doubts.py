"""Why a model may be worse than its scores: what its slides and labels lack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.learning.data.training_set import TrainingSet
    from lds_path.models.card import ModelCard

FEW_REGIONS = 20
FAR_APART_UM = 6.0
"""From 8 um between samples on, closer uniform ones were better in less time (docs/sampling.md)."""


def find_doubts(
    train: TrainingSet,
    tune: TrainingSet,
    summaries: Mapping[str, Mapping[str, Any]],
    classes: Sequence[str],
) -> list[str]:
    """Return what should be known of the labelled slides of a training, a sentence each.

    Parameters
    ----------
    train, tune
        Labelled regions to learn from, and to score.
    summaries
        Split -> what `summarise` returned.
    classes
        Names of the classes.
    """
    doubts = []
    if len(train.regions) < FEW_REGIONS:
        doubts.append(
            f"Only {len(train.regions)} regions have labels to learn from: annotate more tissue."
        )
    if summaries["train"]["patients"] == 1:
        doubts.append(
            "All slides to learn from are of one patient: the model may not know the tissue and"
            " the stain of others."
        )
    doubts += _doubts_of_classes(train, tune, classes)
    if not tune.regions:
        doubts.append(
            "No slide of the split tune has labels: the weights of the last step are kept, and how"
            " good they are is not known. Write tune into the column `split` of some slides."
        )
    elif summaries["tune"]["patients"] == 1:
        doubts.append("The scores are those of one patient: others may differ by much.")
    return doubts


def doubt_distance(card: ModelCard) -> list[str]:
    """Return that closer uniform samples would pay more than to place far ones, where so.

    Most of the time of a slide does not depend on its samples, but the pixels that texture is
    measured in and the density network cost some.
    """
    network = card.network
    between = card.mpp * card.region_size.width / card.lattice.width
    if between < FAR_APART_UM or network.ladder or not (network.texture or network.warps):
        return []
    doubt = (
        f"Samples lie {between:.3g} um apart. Uniform ones twice as close were more accurate, in no"
        f" more time a slide, wherever that was measured. Try detect: lattice:"
        f" {2 * card.lattice.width}, train: sampler: uniform and texture: false beside it."
    )
    return [doubt]


def _doubts_of_classes(train: TrainingSet, tune: TrainingSet, classes: Sequence[str]) -> list[str]:
    doubts = []
    slides = {labelled.slide for labelled in train.regions}
    for number, name in enumerate(classes):
        with_class = train.slides_with(number)
        if len(with_class) == 1 < len(slides):
            doubts.append(f"{name} is labelled in one slide to learn from only, {with_class[0]}.")
        if tune.regions and not tune.slides_with(number):
            doubts.append(f"No slide of the split tune holds {name}: it has no score.")
    return doubts
