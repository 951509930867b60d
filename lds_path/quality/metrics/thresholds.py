"""The values at which a metric of a slide is doubtful, and at which it is bad."""

from __future__ import annotations

from dataclasses import dataclass

from lds_path.option import Options, option
from lds_path.slides.mpp import MAX_AREA_MM2


@dataclass(frozen=True)
class Thresholds(Options):
    """Values at which metrics are doubtful (`warn`) and at which they are bad (`fail`)."""

    warn_tissue_mm2: float = option(0.1, "smallest area of tissue", minimum=0, maximum=MAX_AREA_MM2)
    fail_tissue_mm2: float = option(
        0.01, "the same, for the verdict fail", minimum=0, maximum=MAX_AREA_MM2
    )
    warn_analysed_percent: float = option(
        95.0, "smallest fraction of the tissue with a label", minimum=0, maximum=100
    )
    fail_analysed_percent: float = option(
        80.0, "the same, for the verdict fail", minimum=0, maximum=100
    )
    warn_out_of_focus_percent: float = option(
        20.0, "largest fraction of the tissue out of focus", minimum=0, maximum=100
    )
    fail_out_of_focus_percent: float = option(
        60.0, "the same, for the verdict fail", minimum=0, maximum=100
    )
    warn_fold_percent: float = option(
        2.0, "largest fraction of the tissue in folds", minimum=0, maximum=100
    )
    fail_fold_percent: float = option(
        20.0, "the same, for the verdict fail", minimum=0, maximum=100
    )
    warn_dark_percent: float = option(
        1.0, "largest fraction of the tissue under dark spots", minimum=0, maximum=100
    )
    fail_dark_percent: float = option(
        10.0, "the same, for the verdict fail", minimum=0, maximum=100
    )
    warn_pen_percent: float = option(
        1.0, "most ink on the tissue or next to it", minimum=0, maximum=100
    )
    fail_pen_percent: float = option(20.0, "the same, for the verdict fail", minimum=0, maximum=100)
    warn_bubble_percent: float = option(
        0.5, "most air bubbles and edges of a cover slip", minimum=0, maximum=100
    )
    fail_bubble_percent: float = option(
        20.0, "the same, for the verdict fail", minimum=0, maximum=100
    )
    warn_hematoxylin: float = option(
        0.25, "lowest optical density of the hematoxylin where it is strong", minimum=0, maximum=10
    )
    fail_hematoxylin: float = option(0.1, "the same, for the verdict fail", minimum=0, maximum=10)
    warn_eosin: float = option(0.15, "the same for the eosin", minimum=0, maximum=10)
    fail_eosin: float = option(0.05, "the same, for the verdict fail", minimum=0, maximum=10)
    warn_staining: float = option(
        0.55,
        "highest optical density of typical tissue, all stains together",
        minimum=0,
        maximum=10,
    )
    fail_staining: float = option(1.0, "the same, for the verdict fail", minimum=0, maximum=10)
    warn_uncertain_percent: float = option(
        20.0, "largest fraction of the tissue that is uncertain", minimum=0, maximum=100
    )
    fail_uncertain_percent: float = option(
        50.0, "the same, for the verdict fail", minimum=0, maximum=100
    )
    warn_seam_index: float = option(
        1.0,
        "most disagreement of regions in overlaps, relative to the tissue near borders",
        minimum=0,
        maximum=1000,
    )
    fail_seam_index: float = option(3.0, "the same, for the verdict fail", minimum=0, maximum=1000)
    warn_tune_dice: float = option(
        0.7,
        "lowest Dice of a class that the model reached on slides it did not learn from",
        minimum=0,
        maximum=1,
    )
    fail_tune_dice: float = option(0.4, "the same, for the verdict fail", minimum=0, maximum=1)
    warn_largest_class_percent: float = option(
        99.9,
        "largest fraction of the labelled tissue that one class covers",
        minimum=0,
        maximum=100,
    )
    fail_largest_class_percent: float = option(
        100.0, "the same, for the verdict fail; 100 never fails", minimum=0, maximum=100
    )
    warn_unlike_stain_percent: float = option(
        40.0,
        "largest fraction of the tissue stained unlike the training slides",
        minimum=0,
        maximum=100,
    )
    fail_unlike_stain_percent: float = option(
        90.0, "the same, for the verdict fail", minimum=0, maximum=100
    )
    warn_unlike_tissue_percent: float = option(
        25.0,
        "largest fraction of the regions that the network finds unlike them",
        minimum=0,
        maximum=100,
    )
    fail_unlike_tissue_percent: float = option(
        75.0, "the same, for the verdict fail", minimum=0, maximum=100
    )
    warn_unreadable_tiles: int = option(
        0, "most tiles of the file that could not be decoded", minimum=0, maximum=10**9
    )
    fail_unreadable_tiles: int = option(
        100, "the same, for the verdict fail", minimum=0, maximum=10**9
    )
