"""The expected errors of a slide: of each region on each lattice of the ladder."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lds_path.errors import UsageError, named_damage
from lds_path.inference.allocation import allocate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.geometry import Region, Size
    from lds_path.inference.cost import Costs

EXPECTED_ERRORS_NAME = "outlook.tsv"


@dataclass(frozen=True)
class ExpectedErrors:
    """What a model predicts for a slide, before any budget is known."""

    regions: Sequence[Region]
    tissue_mm2: float
    ladder: tuple[int, ...]
    sizes: Sequence[Size]
    """Lattice of each rung."""
    errors: NDArray[np.float64]
    """Expected error of each region on each rung, (regions, rungs), in weighted working pixels."""

    @property
    def samples(self) -> NDArray[np.int64]:
        """Samples of a region on each rung, (rungs,)."""
        return np.array([size.area for size in self.sizes], np.int64)

    def allocate(self, samples: int) -> NDArray[np.intp]:
        """Return the rung of each region, (regions,), for a total number of samples."""
        return allocate(self.errors, self.samples, samples)

    def allocate_seconds(self, costs: Costs, seconds: float) -> NDArray[np.intp]:
        """Return the rung of each region, (regions,), for a total time.

        Parameters
        ----------
        costs
            Of the slide's regions.
        seconds
            Of the slide.

        Raises
        ------
        UsageError
            If the smallest lattice everywhere takes longer.
        """
        least = costs.total(np.zeros(len(self.errors), np.intp))
        if least > seconds:
            raise UsageError(
                f"the budget of {seconds:.3g} s is too small: {len(self.errors)} regions need about"
                f" {least:.3g} s even on the smallest lattice of the model; raise it, or give seconds"
                " per area such as 0.2s/mm2"
            )
        # In whole microseconds, and more for every step up.
        rungs = len(costs.regions)
        microseconds = np.rint(1e6 * costs.regions).astype(np.int64) + np.arange(rungs)
        left = int(1e6 * (seconds - costs.start)) + rungs * len(self.errors)
        return allocate(self.errors, microseconds, left)

    def lattices(self, rungs: NDArray[np.intp]) -> list[Size]:
        """Return the lattice of each region."""
        return [self.sizes[rung] for rung in rungs.tolist()]

    def total_error(self, rungs: NDArray[np.intp]) -> float:
        """Return the expected error of the whole slide."""
        return float(np.take_along_axis(self.errors, rungs[:, None], axis=1).sum())


def write_expected_errors(
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


def read_expected_errors(path: Path) -> list[float]:
    """Return the error expected of each region on the lattice that it got, see `write_expected_errors`.

    Raises
    ------
    StageInputError
        If the file is damaged.
    """
    with named_damage(path, "plan"), path.open(encoding="utf-8", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t")
        return [float(row[f"error_{row['lattice']}"]) for row in rows]
