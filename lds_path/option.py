"""An option, written once: a field of a dataclass with its default, its meaning and its bounds.

The command line, the schema of config.yaml, the checks of values and the parameters of a manifest
follow from such fields; `lds_path.options` has those of the stages.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field, fields, replace
from functools import cache
from types import NoneType
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, get_args, get_origin, get_type_hints

from lds_path.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

log = logging.getLogger(__name__)

T = TypeVar("T")
O = TypeVar("O", bound="Options")

MAX_SEED = 2**32 - 1
"""What every random generator takes."""
MAX_ITEMS = 12
"""Of a list of bounded numbers: a longer one from elsewhere could only exhaust the memory."""


@dataclass(frozen=True, kw_only=True)
class About:
    """The description of an option, besides its name, type and default."""

    text: str
    """Its meaning: the help of the command line and the description in the schema."""
    minimum: float | None = None
    above: float | None = None
    """Exclusive minimum of a number."""
    maximum: float | None = None
    unit: str = ""
    """Unit of the bounds, where the name does not state it."""
    choices: tuple[str, ...] = ()
    min_items: int = 0
    """Smallest number of items of a list."""
    schema: Mapping[str, Any] | None = None
    """JSON schema of the key where type and bounds are not enough."""
    from_model: bool = False
    """Whether null in config.yaml stands for the model's value."""
    old_name: str = ""
    """Former name of the option: still accepted, with a warning."""
    short: str = ""
    """A letter for the command line, such as -n."""
    scope: Literal["config", "command", "python"] = "config"
    """Where it can be set. `config`: a key of config.yaml and an option of the command; `command`: only an option of the
    command; `python`: neither."""

    @property
    def is_bounded(self) -> bool:
        """Whether a number must lie within bounds."""
        return (self.minimum, self.above, self.maximum) != (None, None, None)

    def allows(self, number: float) -> bool:
        """Return whether a number is finite and lies within the bounds."""
        return (
            is_finite(number)
            and (self.minimum is None or number >= self.minimum)
            and (self.above is None or number > self.above)
            and (self.maximum is None or number <= self.maximum)
        )

    def bounds(self) -> str:
        """Return the bounds in words."""
        unit = f" {self.unit}" if self.unit else ""
        if self.above is not None:
            maximum = "" if self.maximum is None else f" and at most {_in_words(self.maximum)}"
            return f"more than {_in_words(self.above)}{maximum}{unit}"
        if self.minimum is None or self.maximum is None:
            return f"{_in_words(self.minimum)} or more{unit}"
        return f"{_in_words(self.minimum)} to {_in_words(self.maximum)}{unit}"


def is_finite(number: float) -> bool:
    """Return whether a number is neither infinite nor NaN; a whole number may be of any size."""
    return isinstance(number, int) or math.isfinite(number)


def _in_words(bound: float | None) -> str:
    return str(int(bound)) if bound == int(bound or 0) else f"{bound:g}"


def option(default: T, text: str, **about: Any) -> T:
    """Return the field of an option; `about` are fields of `About`."""
    metadata = {"about": About(text=text, **about)}
    if isinstance(default, dict):
        return cast("T", field(default_factory=default.copy, metadata=metadata))
    return field(default=default, metadata=metadata)


def required(text: str, **about: Any) -> Any:  # noqa: ANN401 - as dataclasses.field
    """Return the field of an option without a default."""
    return field(metadata={"about": About(text=text, **about)})


@dataclass(frozen=True)
class Options:
    """A frozen dataclass of options; a value out of its bounds raises a `UsageError`.

    A field whose value is also such a dataclass is a group: its options are listed as if they
    were fields of the whole.
    """

    def __post_init__(self) -> None:
        for name, kind, about in _own_options(self):
            kind.check(name, getattr(self, name), about)


@dataclass(frozen=True)
class Kind:
    """The type of an option."""

    item: type
    """int, float, bool or str: of the value or, if there are several, of each."""
    form: Literal["single", "list", "mapping"] = "single"
    nullable: bool = False
    """Whether None is a value."""

    def check(self, name: str, value: Any, about: About) -> None:  # noqa: ANN401 - not yet checked
        """Raise a `UsageError` unless a value is of this type and within its bounds."""
        if self.form == "mapping" or (value is None and self.nullable):
            return
        if self.form == "single":
            return self._check_item(name, value, about)
        if not isinstance(value, tuple | list) or (about.is_bounded and len(value) > MAX_ITEMS):
            numbers = f" of at most {MAX_ITEMS} numbers" if about.is_bounded else ""
            raise UsageError(f"{name} is not a list{numbers}")
        if len(value) < about.min_items:
            raise UsageError(f"{name} is {list(value)}, expected {about.min_items} values or more")
        for item in value:
            self._check_item(name, item, about)

    def _check_item(self, name: str, value: Any, about: About) -> None:  # noqa: ANN401 - as above
        if about.choices and value not in about.choices:
            known = ", ".join(about.choices)
            raise UsageError(f"the {name} '{value}' is unknown; there are {known}")
        if self._is_item(value) and (not about.is_bounded or about.allows(value)):
            return
        expected = about.bounds() if about.is_bounded else NOUNS[self.item]
        if self.item is int and about.is_bounded:
            joint = "from " if about.maximum is not None else "of "
            expected = f"a whole number {joint}{expected}"
        found = f"{value:g}" if isinstance(value, float) and self.item is float else str(value)[:20]
        raise UsageError(f"{name} is {found}, expected {expected}")

    def _is_item(self, value: Any) -> bool:  # noqa: ANN401 - as above
        accepted = int | float if self.item is float else self.item
        return isinstance(value, accepted) and (self.item is bool or not isinstance(value, bool))


NOUNS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


@dataclass(frozen=True)
class Description:
    """One option among all of a dataclass."""

    name: str
    default: Any
    kind: Kind
    about: About


def describe(options: Options) -> Iterator[Description]:
    """Yield all options, those of groups too, in the order of the fields; values are defaults."""
    own = {name: (kind, about) for name, kind, about in _own_options(options)}
    for name, value in _fields_of(options):
        if isinstance(value, Options):
            yield from describe(value)
        elif name in own:
            yield Description(name, value, *own[name])


def as_parameters(options: Options) -> dict[str, Any]:
    """Return the values by name, those of groups too, in the order of the fields."""
    values: dict[str, Any] = {}
    for name, value in _fields_of(options):
        values |= as_parameters(value) if isinstance(value, Options) else {name: value}
    return values


def make_options(defaults: O, values: Mapping[str, Any]) -> O:
    """Return options with other values, given by name, those of groups too.

    Raises
    ------
    UsageError
        If there is no such option, or a value is out of bounds.
    """
    left = _with_new_names(defaults, values)
    options = _changed(defaults, left)
    if left:
        raise UsageError(f"there is no option '{next(iter(left))}'")
    return options


def old_names(options: Options) -> dict[str, str]:
    """Return present name -> old name of the options that were renamed."""
    return {
        described.name: described.about.old_name
        for described in describe(options)
        if described.about.old_name
    }


def _with_new_names(options: Options, values: Mapping[str, Any]) -> dict[str, Any]:
    renamed = dict(values)
    for name, old_name in old_names(options).items():
        if old_name in renamed:
            log.warning("the option '%s' is now called '%s'; use the new name", old_name, name)
            renamed[name] = renamed.pop(old_name)
    return renamed


def _changed(options: O, values: dict[str, Any]) -> O:
    changes = {}
    for name, value in _fields_of(options):
        if isinstance(value, Options):
            changes[name] = _changed(value, values)
        elif name in values:
            changes[name] = values.pop(name)
    return replace(options, **changes)


def _fields_of(options: Options) -> Iterator[tuple[str, Any]]:
    for field_ in fields(options):
        yield field_.name, getattr(options, field_.name)


def _own_options(options: Options) -> list[tuple[str, Kind, About]]:
    """Return name, type and the rest of a dataclass's options, without those of groups."""
    kind: Any = type(options)
    return _read_options(kind)


@cache
def _read_options(kind: type[Any]) -> list[tuple[str, Kind, About]]:
    hints = get_type_hints(kind)
    return [
        (field_.name, _kind_of(hints[field_.name]), field_.metadata["about"])
        for field_ in fields(kind)
        if "about" in field_.metadata
    ]


def _kind_of(hint: Any) -> Kind:  # noqa: ANN401 - annotations have no common type
    parts = [part for part in get_args(hint) if part is not NoneType]
    if NoneType in get_args(hint):
        return Kind(_kind_of(parts[0]).item, nullable=True)
    if get_origin(hint) in (tuple, list):
        return Kind(parts[0], "list")
    if get_origin(hint) is dict:
        return Kind(str, "mapping")
    return Kind(str if get_origin(hint) is Literal else hint)
