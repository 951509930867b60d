"""Options of assess and evaluate."""

from __future__ import annotations

from dataclasses import dataclass, field

from lds_path.option import Options, option
from lds_path.options.reference import LabelsOptions
from lds_path.quality.metrics.thresholds import Thresholds


@dataclass(frozen=True)
class AssessOptions(Options):
    """When a slide's analysis is doubtful."""

    min_confidence: float = option(
        0.5,
        "a pixel whose likeliest class is less probable counts as uncertain",
        minimum=0,
        maximum=1,
    )
    max_blur: float = option(
        0.5, "a window of tissue that is more blurred is out of focus", minimum=0, maximum=1
    )
    """See `pixels.focus.blur`."""
    screen: bool = option(
        False, "whether to report pen, folds, bubbles and blur also as the stage screen finds them"
    )
    thresholds: Thresholds = field(default_factory=Thresholds)


@dataclass(frozen=True)
class EvaluateOptions(Options):
    """What is scored."""

    labels: LabelsOptions = field(default_factory=LabelsOptions)
    boundary_um: float = option(
        5.0,
        "width of the band inside the outlines in which boundary IoU is measured",
        above=0,
        maximum=100,
    )
    warn_dice: float = option(
        0.7, "lowest Dice of any class of the reference labels", minimum=0, maximum=1
    )
    fail_dice: float = option(0.4, "the same, for the verdict fail", minimum=0, maximum=1)
