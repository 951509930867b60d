"""Cells of the sheet and keys of the configuration as options of a command, with shell quoting."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def format_options(*sections: Mapping[str, Any]) -> str:
    """Return the keys of sections of the configuration as options; keys that are null are left out.

    An option is repeated for the items of a list, and as KEY=VALUE for those of a mapping.
    """
    return " ".join(
        f"--{key.replace('_', '-')} {quote(str(item))}"
        for section in sections
        for key, value in section.items()
        for item in _list_items(value)
    )


def format_classes(classes: Sequence[Mapping[str, str]] | None) -> str:
    """Return the classes as options, in the order of their label values."""
    pairs = [f"{item['name']}={item['color']}" for item in classes or []]
    return " ".join(f"--class {quote(pair)}" for pair in pairs)


def format_cell(cell: str | float, option: str = "") -> str:
    """Return a cell as an argument, or as the value of an option; nothing where it is empty.

    Parameters
    ----------
    cell
        Text, or a number, which is NaN where the cell is empty.
    option
        Such as `--roi`.
    """
    is_empty = cell == "" or cell != cell  # noqa: PLR0124 - NaN
    return "" if is_empty else f"{option} {quote(str(cell))}"


def _list_items(value: Any) -> list[Any]:  # noqa: ANN401 - whatever a configuration holds
    """Return the values for which an option is repeated."""
    if isinstance(value, dict):
        return [f"{name}={'' if item is None else item}" for name, item in value.items()]
    items = value if isinstance(value, list) else [value]
    return [item for item in items if item is not None]
