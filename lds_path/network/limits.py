"""Bounds on the sizes of a network: beyond them a stranger's description only asks for memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lds_path.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

RANGES = {
    "class_count": (1, 254),
    "residual_units": (0, 16),
    "view_level": (0, 12),
    "channels": (1, 8192),
    "density_channels": (1, 8192),
    "ladder": (1, 8192),
    "view_margin": (0, 2**16),
}
MOST_NUMBERS = 12


def check_whole(**sizes: int) -> None:
    """Raise a `UsageError` unless each is a whole number in its range."""
    for name, value in sizes.items():
        least, most = RANGES[name]
        if type(value) is not int or not least <= value <= most:
            raise UsageError(
                f"{name} is {str(value)[:20]}, expected a whole number from {least} to {most}"
            )


def check_lists(**lists: Sequence[int]) -> None:
    """Raise a `UsageError` unless each is a short list of whole numbers in its range."""
    for name, numbers in lists.items():
        if not isinstance(numbers, tuple | list) or len(numbers) > MOST_NUMBERS:
            raise UsageError(f"{name} is no list of at most {MOST_NUMBERS} whole numbers")
        for count in numbers:
            check_whole(**{name: count})


def check_colours(**colours: Sequence[float]) -> None:
    """Raise a `UsageError` unless each is three numbers."""
    for name, colour in colours.items():
        if len(colour) != 3 or not all(math.isfinite(part) for part in colour):
            raise UsageError(f"{name} is not three numbers, one for each colour")
