"""Options of assess, evaluate and report."""

from __future__ import annotations

from dataclasses import dataclass, field

from lds_path.errors import UsageError
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
    stain: str = option(
        "",
        "its staining, such as H&E, PAS or IHC, whose stains are measured; H&E when not given",
        scope="command",
    )
    """The workflow takes it from the sheet."""
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


NO_ZOOM = "false"
MAX_ZOOM_MPP = 100.0


@dataclass(frozen=True)
class ReportOptions(Options):
    """What the pages show."""

    zoom: str = option(
        "1.0",
        "microns per pixel of the finest level to zoom into on a slide's page, coarser where that"
        " would be more than about 60 MB; `false`: none",
        schema={
            "oneOf": [
                {"type": "number", "exclusiveMinimum": 0, "maximum": MAX_ZOOM_MPP},
                {"enum": [False]},
                {"type": "string", "pattern": r"^([0-9]{1,9}(\.[0-9]{1,9})?|false)$"},
            ]
        },
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.zoom_mpp

    @property
    def zoom_mpp(self) -> float | None:
        """The microns per pixel; None if there is nothing to zoom into.

        Raises
        ------
        UsageError
            If they are not such a number.
        """
        if self.zoom.lower() == NO_ZOOM:  # as YAML and Python write it
            return None
        try:
            mpp = float(self.zoom)
        except ValueError:
            mpp = 0.0
        if not 0 < mpp <= MAX_ZOOM_MPP:
            raise UsageError(
                f"zoom is {self.zoom[:20]}, expected microns per pixel of more than 0 and at most"
                f" {MAX_ZOOM_MPP:g}, or false"
            )
        return mpp
