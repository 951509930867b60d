"""The classes that a model tells apart and a label image shows."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LabelClass:
    """What one value of a label image means."""

    value: int
    """1 to 255; 0 is kept for what was not analysed."""
    name: str
    color: tuple[int, int, int]
    """Red, green, blue, 0 to 255."""
