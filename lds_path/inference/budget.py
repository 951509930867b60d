"""The samples or the time that a slide may use, as a user writes it."""

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
MAX_SECONDS = 10**7
_FORM = re.compile(r"([0-9]{1,10}(?:\.[0-9]+)?)(s?)(/mm2)?")


@dataclass(frozen=True)
class Budget:
    """A mean number of samples, per region or per area of tissue; or seconds, of a slide or per area."""

    amount: float
    """Side of the lattice that every region could have, or samples per mm2 of tissue; or seconds."""
    per_mm2: bool
    in_seconds: bool = False
    """Of one core, or of a GPU, in `segment`."""

    def seconds(self, tissue_mm2: float) -> float:
        """Return the seconds of a whole slide."""
        return self.amount * (tissue_mm2 if self.per_mm2 else 1)

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
        If it is none of `uniform`, a number such as `128`, samples such as `20000/mm2`, or seconds such as `30s`
        or `0.2s/mm2`.
    """
    if text == UNIFORM:
        return None
    match = _FORM.fullmatch(text)
    maximum = MAX_PER_MM2 if text.endswith("/mm2") else MAX_SIDE
    if match is not None and match[2]:
        maximum = MAX_SECONDS
    if match is None or not 0 < float(match[1]) <= maximum:
        raise UsageError(
            f"the budget '{text[:30]}' is unknown; expected `{UNIFORM}`, the mean side of the lattices"
            f" such as 128 (at most {MAX_SIDE}), samples per area of tissue such as 20000/mm2"
            f" (at most {MAX_PER_MM2}), or seconds of one core such as 30s or 0.2s/mm2"
        )
    return Budget(float(match[1]), per_mm2=match[3] is not None, in_seconds=bool(match[2]))
