"""The picture of a model's calibration: predicted against true errors of each region."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

CALIBRATION_NAME = "calibration.png"


def draw_calibration(
    path: Path,
    ladder: Sequence[int],
    expected: NDArray[np.float64],
    measured: NDArray[np.float64],
    dice: Sequence[float],
) -> None:
    """Write the picture: errors of regions by lattice, and the Dice on each lattice.

    Parameters
    ----------
    path
        PNG to write.
    ladder
        Samples per side on each rung.
    expected, found
        Predicted and true error, (regions, rungs), as fractions of the area.
    dice
        Mean Dice on each rung.
    """
    figure = Figure(figsize=(9, 4), layout="constrained")
    errors, scores = figure.subplots(1, 2)
    limit = max(100 * float(max(expected.max(), measured.max())), 1e-3)
    errors.plot((0, limit), (0, limit), color="0.6", lw=1)
    for rung, side in enumerate(ladder):
        errors.plot(100 * expected[:, rung], 100 * measured[:, rung], ".", label=f"{side} samples")
    errors.set_xlabel("predicted error, % of the area")
    errors.set_ylabel("true error, %")
    errors.legend(fontsize="small", title="per side")
    scores.plot(ladder, dice, "o-")
    scores.set_xscale("log")
    scores.set_xticks(ladder, labels=[str(side) for side in ladder])
    scores.minorticks_off()
    scores.set_xlabel("samples per side of a region, the same for all")
    scores.set_ylabel("mean Dice on the tuning regions")
    figure.savefig(path, dpi=110, metadata={"Software": None})
