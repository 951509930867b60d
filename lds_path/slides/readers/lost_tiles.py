"""Which levels lost tiles: they have none where level 0 has some."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lds_path.geometry import Size

ROUNDING = 0.25
"""Share of a tile by which levels may be out of step, as their sizes are rounded."""


class Stored(Protocol):
    """A level, and what it is stored in."""

    @property
    def size(self) -> Size:
        """Extent in pixels."""

    @property
    def stored(self) -> Size:
        """Extent of what is missing as a whole: a tile, or a file of chunks."""


class StoredLevel(Stored, Protocol):
    """A level of which a file may lack tiles."""

    def has_no_bytes(self) -> NDArray[np.bool_]:
        """Return which of these are missing, (rows, columns)."""


def lacking_levels(levels: Sequence[StoredLevel]) -> set[int]:
    """Return the levels that have no bytes for a tile although level 0 has some there.

    Where level 0 has none either, the part was not scanned.
    """
    full, present = levels[0], ~levels[0].has_no_bytes()
    lacking = set()
    for index, level in enumerate(levels[1:], start=1):
        for row, column in np.argwhere(level.has_no_bytes()).tolist():
            if present[tiles_below(level, full, row, column)].any():
                lacking.add(index)
                break
    return lacking


def tiles_below(level: Stored, full: Stored, row: int, column: int) -> tuple[slice, slice]:
    """Return rows and columns of the tiles of a finer level that lie within a tile of a level."""
    down = full.size.height / level.size.height * level.stored.height / full.stored.height
    across = full.size.width / level.size.width * level.stored.width / full.stored.width
    begin = math.ceil(row * down - ROUNDING), math.ceil(column * across - ROUNDING)
    end = math.floor((row + 1) * down + ROUNDING), math.floor((column + 1) * across + ROUNDING)
    return slice(begin[0], end[0]), slice(begin[1], end[1])
