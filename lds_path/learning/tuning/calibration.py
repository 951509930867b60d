"""Calibration of a trained model: predicted against true errors, and the Dice on each lattice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from lds_path.learning.lattice_output import segment_batch
from lds_path.learning.tuning.score import tune_dice
from lds_path.network.benefit import network_errors
from lds_path.network.spec import lattices_on

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.learning.data.batches import Batch
    from lds_path.learning.data.labelled_regions import RegionCache
    from lds_path.network.segmenter import Segmenter


AS_GOOD = 0.002
"""Dice that more samples must bring to be worth taking."""


@dataclass(frozen=True)
class Calibration:
    """Errors of regions on each lattice of a ladder, as fractions of their labelled area."""

    ladder: tuple[int, ...]
    expected: NDArray[np.float64]
    """As the network predicts them, (regions, rungs)."""
    measured: NDArray[np.float64]
    """As they are, (regions, rungs): of the reference labels resampled to the lattice and back, or of
    the network, whichever it predicts."""
    area: NDArray[np.float64]
    """Labelled area of each region, (regions,), in cells of the density map."""
    dice: NDArray[np.float64]
    """Mean Dice of the model's labels on each lattice, on pixels, all regions on the same, (rungs,)."""

    def enough(self) -> int:
        """Return the rung with the fewest samples that is as good as the best one."""
        return int(np.argmax(self.dice >= np.nanmax(self.dice) - AS_GOOD))

    def summary(self) -> dict[str, Any]:
        """Return the entry in the model card."""
        return {
            "ladder": list(self.ladder),
            "dice": _rounded(self.dice),
            "expected_error": _rounded(np.average(self.expected, axis=0, weights=self.area)),
            "found_error": _rounded(np.average(self.measured, axis=0, weights=self.area)),
            "correlation": _rounded(
                [_correlation(*pair) for pair in zip(self.expected.T, self.measured.T, strict=True)]
            ),
        }


@torch.inference_mode()
def calibrate(
    segmenter: Segmenter,
    cache: RegionCache,
    device: torch.device,
    network_costs: tuple[float, ...] = (),
) -> Calibration:
    """Return predicted and true errors of a model with a ladder on labelled regions.

    Parameters
    ----------
    segmenter
        The model.
    cache
        Regions that it was not trained on, at least one.
    device
        Where the model is.
    network_costs
        What a wrong pixel of each class costs, for a model that predicts its own errors.
    """
    segmenter.eval()
    expected, measured, area = [], [], []
    for index in range(len(cache)):
        batch = cache.read(index).to(device)
        labelled = batch.labelled.sum().clamp_min(1e-6)  # hardly any label: an area of 0
        errors = segmenter.predict_errors(batch.view) * batch.labelled
        expected.append((errors.sum(dim=(0, 2, 3)) / labelled).cpu().numpy())
        if network_costs:
            measured.append(_network_errors(segmenter, batch, network_costs))
        else:
            measured.append((batch.errors.sum(dim=(0, 2, 3)) / labelled).tolist())
        area.append(float(labelled))
    ladder = segmenter.spec.ladder
    dice = [
        float(np.nanmean(tune_dice(segmenter, cache, lattice, device, on_pixels=True)))
        for lattice in lattices_on(ladder, cache.read(0).size)
    ]
    return Calibration(
        ladder, *(np.array(values, float) for values in (expected, measured, area, dice))
    )


def _network_errors(segmenter: Segmenter, batch: Batch, costs: tuple[float, ...]) -> list[float]:
    """Return the error of the network on a batch for each rung, as a fraction of its area."""
    weights = torch.tensor(costs, dtype=torch.float32, device=batch.view.device)
    errors = []
    for lattice in lattices_on(segmenter.spec.ladder, batch.size):
        output = segment_batch(segmenter, batch, lattice)
        area = output.area * output.labelled
        wrong = (network_errors(output.logits, output.target, weights) * area).sum()
        errors.append(float(wrong / area.sum().clamp_min(1e-6)))
    return errors


def _correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Return the correlation of two columns, 0 where one of them does not vary."""
    if min(first.std(), second.std()) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _rounded(values: Any) -> list[float]:  # noqa: ANN401 - any numbers
    return [round(float(value), 4) for value in values]
