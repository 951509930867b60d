"""How wrong a region's labels come out on each lattice: the truth, and what the network foretells.

With a benefit of samples known for every region, a slide's samples can go where they help.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from lds_path.geometry import Size

_HIDDEN = 32
_USUAL = -3.0
"""Before the softplus: what a fresh head expects everywhere, 5 %."""


class BenefitHead(nn.Module):
    """Foretells from features of the coarse view the error in each cell on each rung of a ladder.

    Parameters
    ----------
    features
        Channels of the features.
    rungs
        Lattices on the ladder.
    """

    def __init__(self, features: int, rungs: int) -> None:
        super().__init__()
        self.hidden = nn.Conv2d(features, _HIDDEN, 1)
        self.error = nn.Conv2d(_HIDDEN, rungs, 1)
        nn.init.zeros_(self.error.weight)

    def forward(self, features: Tensor) -> Tensor:
        """Return the expected error of each cell, (B, rungs, hd, wd), float32, more than 0."""
        error: Tensor = self.error(torch.relu(self.hidden(features)))
        return F.softplus(error.float() + _USUAL)


def round_trip_errors(
    fractions: Tensor, lattices: Sequence[Size], cells: Size, class_weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the error that labels have after a way to uniform lattices and back.

    Nothing is predicted: each sample knows the class shares of its area, and each pixel takes the
    likeliest class of the shares interpolated between the samples. No network can do better on
    that lattice, and what it loses is what more samples would mend.

    Parameters
    ----------
    fractions
        Area share of each class, (B, C, H, W), in 0..255.
    lattices
        To go to.
    cells
        Size of the result.
    class_weights
        What a wrong pixel costs, (C,): half that of its own class, half that of the other.

    Returns
    -------
    Tensor
        Cost of the wrong pixels in each cell, as a share of its pixels, (B, lattices, hd, wd).
    Tensor
        Labelled share of each cell, (B, 1, hd, wd).
    """
    shares = fractions.float() / 255
    labelled = shares.sum(dim=1) >= 0.5  # (B, H, W)
    truth = shares.argmax(dim=1)
    extent = (cells.height, cells.width)
    errors = []
    for lattice in lattices:
        samples = F.adaptive_avg_pool2d(shares, (lattice.height, lattice.width))
        back = F.interpolate(samples, shares.shape[2:], mode="bilinear", align_corners=False)
        found = back.argmax(dim=1)
        cost = (class_weights[truth] + class_weights[found]) / 2 * ((truth != found) & labelled)
        errors.append(F.adaptive_avg_pool2d(cost[:, None], extent))
    pooled = F.adaptive_avg_pool2d(labelled[:, None].float(), extent)
    empty = pooled.new_zeros((len(pooled), 0, *extent))
    return torch.cat([empty, *errors], dim=1), pooled


def benefit_loss(expected: Tensor, errors: Tensor, labelled: Tensor) -> Tensor:
    """Return how far expected errors are from the true ones: Poisson deviance, 0 if equal.

    It is least where sums over many cells are right, however rarely a cell errs.

    Parameters
    ----------
    expected
        Error of each cell if all of it is labelled, (B, rungs, hd, wd), more than 0.
    errors
        True error of each cell, (B, rungs, hd, wd), not negative.
    labelled
        Labelled share of each cell, (B, 1, hd, wd).
    """
    rate = (expected * labelled).clamp_min(1e-8)
    deviance = torch.xlogy(errors, errors) - errors * rate.log() - errors + rate
    area = labelled.sum() * errors.shape[1]
    return 2 * deviance.sum() / area.clamp_min(1e-6)
