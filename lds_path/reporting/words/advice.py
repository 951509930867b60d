"""What each warning of a slide means, what to do about it, and where it can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.formats.results import AssessResults
from lds_path.quality.crops import DOUBTFUL, TYPICAL, WORST_SEAM
from lds_path.quality.metrics.verdict import metric_of
from lds_path.reporting.outcomes import verdict_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from lds_path.provenance.cohort import SlideRecord


@dataclass(frozen=True)
class Advice:
    """What a broken limit means for the reader."""

    meaning: str
    """And what to do, in whole sentences."""
    seen_in: str
    """Beginning of the title of a crop, or name of a picture, that shows it."""


@dataclass(frozen=True)
class Doubt:
    """One reason why a slide does not pass."""

    reason: str
    meaning: str
    """Empty where the reason says it all."""
    href: str
    """Place on the page that shows it; empty where none does."""


ADVICE = {
    "tissue_mm2": Advice(
        "With so little tissue every share is uncertain. Compare the outline with the slide: if tissue"
        " was missed, draw a region of interest around it.",
        "tissue",
    ),
    "analysed_percent": Advice(
        "The rest of the tissue has no label, so the areas are too small. Do not compare them with"
        " those of other slides.",
        "overlay",
    ),
    "hematoxylin": Advice(
        "Nuclei may have been missed. Check in the crops whether the labels follow what you see;"
        " otherwise stain a new section.",
        TYPICAL,
    ),
    "eosin": Advice(
        "Structures that differ in their pink may have been confused. Check in the crops whether the"
        " labels follow what you see.",
        TYPICAL,
    ),
    "staining": Advice(
        "Dark tissue hides its structure. Check in the crops whether the labels follow what you see.",
        TYPICAL,
    ),
    "tune_dice": Advice(
        "Expect mistakes everywhere, however sure the model is. Check every class in the crops before"
        " you use an area, or train a model on more annotated slides.",
        TYPICAL,
    ),
    "out_of_focus_percent": Advice(
        "Labels of blurred tissue are guesses. Leave out what lies in the frames, or scan the slide"
        " again.",
        "artefacts",
    ),
    "fold_percent": Advice(
        "Folded tissue is often given a wrong class. Leave it out when you measure.", "artefacts"
    ),
    "dark_percent": Advice(
        "The spots hide the tissue below them. Wipe the slide and scan it again, or leave them out.",
        "artefacts",
    ),
    "pen_percent": Advice(
        "Ink hides tissue and can be taken for it. Wipe the slide and scan it again, or leave the"
        " marked places out.",
        "artefacts",
    ),
    "bubble_percent": Advice(
        "Tissue there is blurred or hidden. Leave it out, or mount and scan the slide again.",
        "artefacts",
    ),
    "uncertain_percent": Advice(
        "There another class is nearly as likely as the one that is shown. Look at these places before"
        " you use an area.",
        DOUBTFUL,
    ),
    "seam_index": Advice(
        "Where two analysed squares overlap, they give different answers, so one of them is wrong. Look"
        " whether the classes on both sides are plausible.",
        WORST_SEAM,
    ),
    "largest_class_percent": Advice(
        "The model told almost nothing apart. If you see more than one kind of tissue, it is not made"
        " for this slide.",
        "overlay",
    ),
    "unlike_stain_percent": Advice(
        "On colours that it did not learn from, the model may take one class for another, and be sure"
        " of it. Check every class in the crops.",
        TYPICAL,
    ),
    "unlike_tissue_percent": Advice(
        "On tissue that it did not learn from, the model still names one of its classes. Check the least"
        " confident places first.",
        DOUBTFUL,
    ),
    "unreadable_tiles": Advice(
        "These places are white and count as glass. Copy the file again from its source.", "overlay"
    ),
}  # fmt: skip
"""Metric with limits -> what to do if it is beyond them."""
DICE = Advice(
    "The labels differ from those that a person drew on this slide. Compare the two before you use an"
    " area.",
    "overlay",
)
DICE_START = "Dice of "
"""Beginning of what `evaluate` says of a low score."""


def doubts_of(record: SlideRecord, pictures: Collection[str]) -> list[Doubt]:
    """Return why a slide does not pass, the worst first, with what it means and where to look.

    Parameters
    ----------
    record
        Of the slide.
    pictures
        Names of its pictures.
    """
    verdict = verdict_of(record)
    doubts = []
    for reason in verdict.reasons if verdict else ():
        advice = DICE if reason.startswith(DICE_START) else ADVICE.get(metric_of(reason))
        if advice is None:
            doubts.append(Doubt(reason, "", ""))
        else:
            doubts.append(
                Doubt(reason, advice.meaning, find_place(record, pictures, advice.seen_in))
            )
    return doubts


def find_place(record: SlideRecord, pictures: Collection[str], seen_in: str) -> str:
    """Return the link to the crop, or to the picture, that shows something; empty if none does."""
    assessed = record.read(AssessResults)
    for number, crop in enumerate(assessed.crops if assessed else (), start=1):
        if crop.title.startswith(seen_in) and f"crop-{number}" in pictures:
            return f"#crop-{number}"
    return f"#picture-{seen_in}" if seen_in in pictures else ""
