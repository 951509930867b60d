"""The number of samples that a slide may use, as a user writes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lds_path.geometry import Region

UNIFORM = "uniform"
_FORM = re.compile(r"(\d+(?:\.\d+)?)(/mm2)?")


@dataclass(frozen=True)
class Budget:
    """A mean number of samples: per region, or per area of tissue."""

    amount: float
    """Side of the lattice that every region could have, or samples per mm2 of tissue."""
    per_mm2: bool

    def samples(self, regions: Sequence[Region], tissue_mm2: float) -> int:
        """Return the samples of a whole slide; a side refers to square regions."""
        if self.per_mm2:
            return int(self.amount * tissue_mm2)
        aspects = (
            (region.size.width * region.size.height)
            / max(region.size.width, region.size.height) ** 2
            for region in regions
        )
        return int(self.amount**2 * sum(aspects))


def parse_budget(text: str) -> Budget | None:
    """Return the budget; None for `uniform`, the same lattice everywhere.

    Raises
    ------
    UsageError
        If it is none of `uniform`, a number such as `128`, or samples such as `20000/mm2`.
    """
    if text == UNIFORM:
        return None
    match = _FORM.fullmatch(text)
    if match is None or not float(match[1]) > 0:
        raise UsageError(
            f"the budget '{text}' is unknown; expected `{UNIFORM}`, the mean side of the lattices"
            " such as 128, or samples per area of tissue such as 20000/mm2"
        )
    return Budget(float(match[1]), per_mm2=match[2] is not None)
