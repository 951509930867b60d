"""Dice of a network on labelled regions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lds_path.learning.densities import imposed_density, wanted_density
from lds_path.learning.lattice_output import segment_batch
from lds_path.learning.streams import stream

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lds_path.geometry import Size
    from lds_path.learning.batches import RegionCache
    from lds_path.learning.recipe import Recipe
    from lds_path.network.segmenter import Segmenter


@torch.inference_mode()
def tune_dice(
    segmenter: Segmenter,
    cache: RegionCache,
    lattice: Size,
    device: torch.device,
    *,
    recipe: Recipe | None = None,
) -> NDArray[np.float64]:
    """Return the Dice of each class over regions, (C,); NaN for a class that occurs nowhere.

    The samples count by the area that they stand for, so the result estimates the Dice at
    full resolution. A recipe that does not sample by the network does not do so here either.
    """
    segmenter.eval()
    count = segmenter.spec.class_count
    sums = torch.zeros(3, count, dtype=torch.float64)
    for index in range(len(cache)):
        batch = cache.read(index).to(device)
        density = None
        if recipe is not None and recipe.sample_by != "network":
            wanted = wanted_density(batch.for_lattices(lattice), recipe)
            density = imposed_density(wanted, recipe, stream(recipe.seed, "tune density", index))
        output = segment_batch(segmenter, batch, lattice, density)
        weight = output.area * output.labelled
        chosen = torch.nn.functional.one_hot(output.logits.argmax(dim=1), count).movedim(-1, 1)
        for row, values in enumerate((chosen * output.target, chosen, output.target)):
            sums[row] += (values * weight).sum(dim=(0, 2, 3)).double().cpu()
    dice: NDArray[np.float64] = torch.where(
        sums[2] > 0, 2 * sums[0] / (sums[1] + sums[2]), torch.nan
    ).numpy()
    return dice
