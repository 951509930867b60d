"""The classes that a model distinguishes and a label image shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from lds_path.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

PALETTE = ("#56B4E9", "#009E73", "#D55E00", "#F0E442", "#CC79A7", "#0072B2", "#E69F00", "#999999")
"""Okabe and Ito's colours, which colour-blind people can distinguish."""
IGNORED_CLASSES = ("Ignore*",)
"""QuPath's own class for what is to be ignored."""
OUTLINE_CLASS = "Region*"
"""QuPath's own class for what is only outlined: it draws no surface and never trains on it."""


@dataclass(frozen=True)
class LabelClass:
    """What one value of a label image means."""

    value: int
    """1 to 255; 0 is reserved for what was not analysed."""
    name: str
    color: tuple[int, int, int]
    """Red, green, blue, 0 to 255."""

    def to_json(self) -> dict[str, Any]:
        """Return the class as manifests, metrics and scripts hold it."""
        return {"value": self.value, "name": self.name, "color": list(self.color)}

    @classmethod
    def from_json(cls, content: object) -> Self:
        """Return the class that `to_json` described.

        Raises
        ------
        ValueError
            If it is not such a description.
        """
        match content:
            case {"value": int(value), "name": str(name), "color": [*color]}:
                if 0 <= value <= 255 and len(color) == 3 and all(map(_is_byte, color)):
                    return cls(value, name, (color[0], color[1], color[2]))
        raise ValueError(
            f"found {repr(content)[:60]}, expected value, name and color, such as"
            ' {"value": 1, "name": "Tumor", "color": [213, 94, 0]}'
        )


def make_classes(names: Sequence[str], colors: Sequence[str]) -> tuple[LabelClass, ...]:
    """Return the classes with the values 1, 2, ... and their colours.

    Raises
    ------
    UsageError
        If there are no names, one occurs twice, or the colours are not one `#rrggbb` for each.
    """
    if not names or len(set(names)) < len(names):
        raise UsageError(f"`classes` is {list(names)}; list each class once, at least one")
    colors = colors or [PALETTE[index % len(PALETTE)] for index in range(len(names))]
    if len(colors) != len(names):
        raise UsageError(f"there are {len(names)} classes and {len(colors)} colours; give one each")
    for color in colors:
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", color):
            raise UsageError(f"the colour '{color}' is not #rrggbb, such as #009E73")
    return tuple(
        LabelClass(value, name, (int(color[1:3], 16), int(color[3:5], 16), int(color[5:], 16)))
        for value, (name, color) in enumerate(zip(names, colors, strict=True), start=1)
    )


def _is_byte(number: object) -> bool:
    return isinstance(number, int) and 0 <= number <= 255
