"""The density that the labels ask for, and densities that replace the network's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from lds_path.network.density import to_density
from lds_path.network.losses import target_density
from lds_path.network.motion import move_image

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from lds_path.learning.data.batches import Batch
    from lds_path.learning.recipe import Recipe


def imposed_density(wanted: Tensor, recipe: Recipe, random: np.random.Generator) -> Tensor | None:
    """Return the density to sample by instead of the network's; None to sample by that.

    Parameters
    ----------
    wanted
        Density that the labels ask for, (B, 1, hd, wd).
    recipe
        See `Recipe.sample_by`.
    random
        Draws the hills.
    """
    match recipe.sample_by:
        case "labels":
            return wanted
        case "random":
            regions, _, height, width = wanted.shape
            hills = torch.tensor(random.normal(0, 1.5, (regions, 1, 6, 6)), dtype=torch.float32)
            hills = F.interpolate(hills, (height, width), mode="bicubic", align_corners=False)
            return to_density(hills.to(wanted.device), floor=recipe.edge_floor)
        case _:
            return None


def wanted_density(batch: Batch, recipe: Recipe) -> Tensor:
    """Return the density that the labels of a batch ask for, (B, 1, hd, wd)."""
    height, width = batch.edges.shape[2:]
    shares = None
    if recipe.rarity:
        shares = F.adaptive_avg_pool2d(batch.fractions[-1].float(), (height, width))
        shares = move_image(shares, batch.motion)
    return target_density(
        batch.edges,
        shares,
        floor=recipe.edge_floor,
        blur=recipe.edge_blur,
        rarity=recipe.rarity,
    )
