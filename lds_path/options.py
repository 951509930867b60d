"""Options that several commands share, and the many of `train`."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lds_path.errors import UsageError
from lds_path.learning.recipe import CHOICES, PRESETS
from lds_path.quality.verdict import Thresholds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

PATH = click.Path(path_type=Path)
HEX_COLOR = re.compile("#[0-9A-Fa-f]{6}")

strict = click.option("--strict", is_flag=True, help="Fail instead of quarantining the slide.")
threads = click.option("--threads", default=1, show_default=True, help="Threads to use.")
roi = click.option(
    "--roi", type=PATH, help="GeoJSON polygons to stay within, as QuPath saves them."
)
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto takes a CUDA GPU where there is one; of several, one that is free.",
)
classes = click.option(
    "--class",
    "classes",
    multiple=True,
    metavar="NAME=COLOR",
    help='Name and colour of a class, such as "Tumor=#D55E00"; repeat it in label order.',
)


def number(name: str, default: float | None, help_text: str) -> Decorator:
    """Return an option for a number."""
    kind = float if default is None else None
    return click.option(name, type=kind, default=default, show_default=True, help=help_text)


def choice(name: str, choices: Sequence[str], help_text: str) -> Decorator:
    """Return an option for a word, the first by default."""
    kind = click.Choice(list(choices))
    return click.option(name, type=kind, default=choices[0], show_default=True, help=help_text)


def several(name: str, kind: type, default: Sequence[Any], help_text: str) -> Decorator:
    """Return an option that is repeated."""
    return click.option(
        name, type=kind, multiple=True, default=tuple(default), show_default=True, help=help_text
    )


def together(*options: Decorator) -> Decorator:
    """Return options as one, listed in this order."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


labels = together(
    several("--class-map", str, (), "ANNOTATION=CLASS: what a class or value of the labels means."),
    several("--ignore", str, ("Ignore*",), "Annotation class of places to leave out."),
    click.option(
        "--unlabelled",
        default="background",
        show_default=True,
        help="Annotated area without a label: background, ignore or a class.",
    ),
)

thresholds = together(
    *(
        number(f"--{name.replace('_', '-')}", default, "Limit of the verdict.")
        for name, default in asdict(Thresholds()).items()
    )
)

network = together(
    choice("--architecture", ("UNet", "SegResNet", "FlexibleUNet"), "Network of MONAI."),
    several("--channels", int, (48, 64, 96, 128, 160), "Of a level, finest first; repeat it."),
    choice(
        "--sampler",
        ("knothe-rosenblatt", "kernel", "separable", "uniform"),
        "How the density becomes a sampling grid.",
    ),
    number("--kernel-width", 0.1, "Of the sampler kernel; share of a region's side."),
    number("--smoothing", 0.03, "Of the other samplers; share of a region's side."),
    number("--max-zoom", None, "Bound on how much closer samples lie than in the uniform grid."),
    choice("--density-network", ("context", "local"), "What decides where to sample."),
    number("--density-floor", 0.1, "Lowest density where the mean is 1."),
    number("--view-level", 4, "Pyramid level of the coarse view."),
    number("--view-margin", 0, "Working pixels that it shows beyond each edge of a region."),
    several("--ladder", int, (), "Lattice to segment on too, rising; repeat it."),
    click.option(
        "--shared-features",
        type=bool,
        default=True,
        show_default=True,
        help="Segment with what the density network saw, too.",
    ),
)

recipe = together(
    click.option("--preset", type=click.Choice(tuple(PRESETS)), help="Values that come first."),
    number("--steps", 1500, "Length of the training."),
    number("--learning-rate", 2e-3, "Of the segmentation network, at most."),
    number("--density-learning-rate", 2e-3, "Of the density network, at most."),
    choice("--schedule", CHOICES["schedule"], "How the learning rates change."),
    choice("--optimizer", CHOICES["optimizer"], "What takes the steps."),
    number("--weight-decay", 1e-4, "Of the optimizer."),
    number("--largest-gradient", 5.0, "Norm that the gradient is cut to."),
    choice("--precision", CHOICES["precision"], "Of the convolutions in a step."),
    number("--dice-weight", 1.0, "Of the Dice loss."),
    number("--cross-entropy-weight", 1.0, "Of the cross-entropy."),
    several("--class-weights", float, (), "Of each class in both; repeat it."),
    number("--area-power", 0.5, "A sample counts by its area to this power."),
    number("--point-weight", 0.0, "Of the loss at random points between the samples."),
    number("--points", 4096, "Such points in a region."),
    number("--edge-weight", 1.0, "Of the edge loss, at the start."),
    choice("--edge-loss", CHOICES["edge_loss"], "How the density is compared with its target."),
    number("--edge-decay", 0.0, "Power by which the weight of the edge loss falls."),
    number("--edge-blur", 1.0, "Of the target; cells of the density map."),
    number("--edge-floor", 0.1, "Part of the target that is spread evenly."),
    number("--rarity", 0.0, "Part of the target that is shared out among the classes."),
    number("--rungs-per-step", 1, "Lattices of the ladder that a step learns from."),
    number("--benefit-weight", 1.0, "Of the loss of the errors foretold for each lattice."),
    choice("--foretell", CHOICES["foretell"], "Whose errors the network foretells."),
    number("--error-power", 0.5, "What rare classes weigh in these errors."),
    choice("--sample-by", CHOICES["sample_by"], "What decides where to sample; for studies."),
    number("--stain-jitter", 0.15, "Spread of the factors on optical density."),
    number("--brightness-jitter", 0.05, "Spread of the factors on brightness."),
    number("--view-blur", 0.0, "Share of the steps with a blurred coarse view."),
    number("--withhold-chance", 0.0, "Share of regions segmented by their colours alone."),
    number("--move-chance", 0.5, "Share of regions that are turned, shifted and scaled."),
    number("--blur-chance", 0.1, "Share of regions that are blurred."),
    number("--noise-chance", 0.1, "Share of regions that get noise."),
    number("--batch-size", 4, "Regions in a step."),
    number("--balance", 1.0, "1 shows each class equally often, 0 each region."),
    number("--tune-every", 100, "Steps between two scores."),
    number("--patience", 10, "Scores without a better one before it ends; 0 never ends early."),
    number("--seed", 1, "The same seed gives the same model."),
    number("--cache-mib", 2048, "Memory for regions."),
)

card = together(
    click.option("--description", default="", help="What the model is for."),
    click.option("--data", default="", help="Where the training data come from; their licence."),
    click.option("--licence", default="", help="Licence of the model."),
    several("--authors", str, (), "Of the model; repeat it."),
)


def split_classes(pairs: Sequence[str]) -> dict[str, str]:
    """Return class name -> colour from NAME=COLOR."""
    split = dict(pair.rpartition("=")[::2] for pair in pairs)
    for name, color in split.items():
        if not name or not HEX_COLOR.fullmatch(color):
            raise UsageError(
                f"the class '{name}={color}' is not NAME=#RRGGBB, such as Tumor=#D55E00"
            )
    return split


def split_class_map(pairs: Sequence[str]) -> dict[str, str]:
    """Return annotation class -> class of the model from ANNOTATION=CLASS."""
    for pair in pairs:
        if "=" not in pair:
            raise UsageError(f"the class map '{pair}' is not ANNOTATION=CLASS, such as Krebs=Tumor")
    return dict(pair.rpartition("=")[::2] for pair in pairs)
