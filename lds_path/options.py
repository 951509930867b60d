"""Options that several commands share, and the many of `train`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lds_path.errors import UsageError

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
    help="auto takes a CUDA GPU where there is one.",
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

network = together(
    choice("--architecture", ("UNet", "SegResNet", "FlexibleUNet"), "Network of MONAI."),
    several("--channels", int, (16, 32, 64, 96, 128), "Of a level, finest first; repeat it."),
    choice("--sampler", ("kernel", "uniform"), "How the density becomes a sampling grid."),
    number("--kernel-width", 0.1, "Share of a region's side."),
    number("--density-floor", 0.1, "Lowest density where the mean is 1."),
)

recipe = together(
    number("--steps", 1500, "Length of the training."),
    number("--batch-size", 4, "Regions in a step."),
    number("--learning-rate", 2e-3, "Of the segmentation network."),
    number("--density-learning-rate", 5e-4, "Of the density network."),
    number("--edge-weight", 0.3, "Of the edge loss; decays."),
    number("--balance", 1.0, "1 shows each class equally often, 0 each region."),
    number("--blur-chance", 0.1, "Share of regions that are blurred."),
    number("--noise-chance", 0.1, "Share of regions that get noise."),
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
