"""Options of the command line: those that follow from a dataclass, and those that jobs share."""

from __future__ import annotations

import re
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from lds_path.errors import UsageError
from lds_path.option import Options, describe, make_options
from lds_path.options.device import DEVICES
from lds_path.remote.address import RemotePath, to_slide_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from lds_path.option import Description
    from lds_path.remote.address import SlidePath

    Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

O = TypeVar("O", bound=Options)

PATH = click.Path(path_type=Path)


class SlideType(click.ParamType[Any]):
    """Path or address of a slide."""

    name = "slide"

    def convert(
        self,
        value: Any,  # noqa: ANN401 - text, or what it was turned into
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> SlidePath:
        """Return the path, or the address; raise UsageError."""
        del param, ctx
        return value if isinstance(value, Path | RemotePath) else to_slide_path(value)


SLIDE = SlideType()
HEX_COLOR = re.compile("#[0-9A-Fa-f]{6}")

strict = click.option("--strict", is_flag=True, help="Fail instead of quarantining the slide.")
threads = click.option(
    "--threads", type=click.IntRange(1, 1024), default=1, show_default=True, help="Threads to use."
)
model = click.option("--model", required=True, help="Id of a shipped model, or a model folder.")
roi = click.option(
    "--roi", type=PATH, help="GeoJSON polygons to stay within, as QuPath saves them."
)
tissue = click.option(
    "--tissue", type=PATH, help="GeoJSON or mask image of the tissue, in place of the method."
)
screened = click.option(
    "--screened", type=PATH, help="Folder of the stage screen, if what it found is used."
)
forecast_device = click.option(
    "--device",
    type=click.Choice(DEVICES),
    default="auto",
    show_default=True,
    help="For --what-if: as for segment.",
)
classes = click.option(
    "--class",
    "classes",
    multiple=True,
    metavar="NAME=COLOR",
    help='Name and colour of a class, such as "Tumor=#D55E00"; repeat it in label order.',
)


def folders(*names: str) -> Decorator:
    """Return arguments for folders and files; `name...` is one or more, `name?` is optional."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        return _apply(map(_click_argument, names), command)

    return decorate


def options_of(defaults: O) -> Decorator:
    """Return a decorator that gives a command the options of a dataclass.

    The command is called with `options`, such a dataclass, in their place. A value out of bounds
    is a `UsageError`.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def call(**values: Any) -> Any:  # noqa: ANN401 - what the command returns
            return command(options=_take_options(defaults, values), **values)

        options = [option for option in describe(defaults) if option.about.scope != "python"]
        renamed = [option for option in options if option.about.old_name]
        return _apply([*map(_click_option, options), *map(_old_click_option, renamed)], call)

    return decorate


def _apply(decorators: Iterable[Decorator], command: Callable[..., Any]) -> Callable[..., Any]:
    """Return the command decorated so that the first decorator stands first in its help."""
    for decorator in reversed(list(decorators)):
        command = decorator(command)
    return command


def _click_argument(name: str) -> Decorator:
    if name.endswith("..."):
        return click.argument(
            name.removesuffix("..."),
            type=PATH,
            nargs=-1,
            required=True,
            callback=lambda _context, _argument, paths: list(paths),
        )
    return click.argument(name.removesuffix("?"), type=PATH, required=not name.endswith("?"))


def _take_options(defaults: O, values: dict[str, Any]) -> O:
    """Return the options among the values that a command was given, and remove them there."""
    chosen = {}
    for option in describe(defaults):
        if option.name in values:
            value = values.pop(option.name)
            chosen[option.name] = split_class_map(value) if option.kind.form == "mapping" else value
        old_value = values.pop(option.about.old_name, None)
        if old_value is not None:
            chosen[option.about.old_name] = old_value
    return make_options(defaults, chosen)


def _click_option(option: Description) -> Decorator:
    several = option.kind.form != "single"
    text = option.about.text + ("; repeat it" if several else "")
    kind = click.Choice(option.about.choices) if option.about.choices else option.kind.item
    return click.option(
        *filter(None, (option.about.short,)),
        f"--{option.name.replace('_', '-')}",
        type=kind,
        multiple=several,
        default=tuple(option.default) if several else option.default,
        show_default=True,
        metavar="ANNOTATION=CLASS" if option.kind.form == "mapping" else None,
        help=f"{text[:1].upper()}{text[1:]}.",
    )


def _old_click_option(option: Description) -> Decorator:
    """Return the option under its old name, which the help does not show."""
    flag = f"--{option.about.old_name.replace('_', '-')}"
    kind = click.Choice(option.about.choices) if option.about.choices else option.kind.item
    return click.option(flag, type=kind, default=None, hidden=True)


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
