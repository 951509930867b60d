"""The outlook of a slide: what error is expected of each region on each lattice of the ladder."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

OUTLOOK_NAME = "outlook.tsv"


def write_outlook(
    path: Path, ladder: Sequence[int], errors: NDArray[np.float64], rungs: NDArray[np.intp]
) -> None:
    """Write one row a region: the lattice it got and the error expected of each lattice.

    Parameters
    ----------
    path
        File to write; the same values give the same bytes.
    ladder
        Samples along a region's longer side on each rung.
    errors
        Expected error, (regions, rungs), working pixels weighted by class.
    rungs
        Chosen rung of each region, (regions,).
    """
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerow(["region", "lattice", *(f"error_{side}" for side in ladder)])
        for index, (row, rung) in enumerate(zip(errors, rungs.tolist(), strict=True)):
            writer.writerow([index, ladder[rung], *(f"{value:.1f}" for value in row)])
