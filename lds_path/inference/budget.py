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
MAX_SIDE = 8192
"""Mean side of the lattices; no ladder has a larger one."""
MAX_PER_MM2 = 10**9
_FORM = re.compile(r"([0-9]{1,10}(?:\.[0-9]+)?)(/mm2)?")


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
    maximum = MAX_PER_MM2 if text.endswith("/mm2") else MAX_SIDE
    if match is None or not 0 < float(match[1]) <= maximum:
        raise UsageError(
            f"the budget '{text[:30]}' is unknown; expected `{UNIFORM}`, the mean side of the lattices"
            f" such as 128 (at most {MAX_SIDE}), or samples per area of tissue such as 20000/mm2"
            f" (at most {MAX_PER_MM2})"
        )
    return Budget(float(match[1]), per_mm2=match[2] is not None)
