"""How wrong a region's labels are on each lattice: the true error, and the one predicted.

Once the benefit of samples is known for every region, a slide's samples can go where they help.
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
_MIN_PIXELS_PER_SAMPLE = 4
_INITIAL_LOGIT = -3.0
"""Before the softplus: a fresh head predicts an error of 5 % everywhere."""


class BenefitHead(nn.Module):
    """Predicts from features of the coarse view the error in each cell on each rung of a ladder.

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
        return F.softplus(error.float() + _INITIAL_LOGIT)


def round_trip_errors(
    fractions: Sequence[Tensor], lattices: Sequence[Size], cells: Size, class_weights: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the error of labels that were resampled to uniform lattices and back.

    Nothing is predicted: each sample has the class shares of its area, and each pixel takes the
    likeliest class of the shares interpolated between the samples. What is lost in this way can be
    recovered by more samples, but not by a better classification of the samples.

    Parameters
    ----------
    fractions
        Area share of each class, finest level first, (B, C, H / 2^k, W / 2^k), in 0..255.
    lattices
        Lattices to resample to; each from the coarsest level with at least four pixels along
        the sides of a sample.
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
    extent = (cells.height, cells.width)
    errors = [
        F.adaptive_avg_pool2d(_cost(_level_for(lattice, fractions), lattice, class_weights), extent)
        for lattice in lattices
    ]
    coarsest = fractions[-1].float().sum(dim=1, keepdim=True) / 255
    labelled = F.adaptive_avg_pool2d(coarsest, extent)
    empty = labelled.new_zeros((len(labelled), 0, *extent))
    return torch.cat([empty, *errors], dim=1), labelled


def _level_for(lattice: Size, fractions: Sequence[Tensor]) -> Tensor:
    fine = [
        level for level in fractions if level.shape[2] >= _MIN_PIXELS_PER_SAMPLE * lattice.height
    ]
    return fine[-1] if fine else fractions[0]


def _cost(shares: Tensor, lattice: Size, class_weights: Tensor) -> Tensor:
    """Return what each pixel costs after resampling to a lattice and back, (B, 1, H, W)."""
    shares = shares.float()
    samples = F.adaptive_avg_pool2d(shares, (lattice.height, lattice.width))
    interpolated = F.interpolate(samples, shares.shape[2:], mode="bilinear", align_corners=False)
    truth, restored = shares.argmax(dim=1, keepdim=True), interpolated.argmax(dim=1, keepdim=True)
    wrong = (truth != restored) & (shares.sum(dim=1, keepdim=True) > 127)
    return (class_weights[truth] + class_weights[restored]) / 2 * wrong


def benefit_loss(expected: Tensor, errors: Tensor, labelled: Tensor) -> Tensor:
    """Return how far expected errors are from the true ones: Poisson deviance, 0 if equal.

    It is smallest where sums over many cells are right, however rarely a cell is wrong.

    Parameters
    ----------
    expected
        Error of each cell if all of it is labelled, (B, rungs, hd, wd), more than 0.
    errors
        True error of each cell, (B, rungs, hd, wd), not negative.
    labelled
        Labelled share of each cell, (B, 1, hd, wd).
    """
    deviance = _deviance(expected * labelled, errors)
    area = labelled.sum() * errors.shape[1]
    return 2 * deviance.sum() / area.clamp_min(1e-6)


def network_error_loss(expected: Tensor, errors: Tensor, weight: Tensor) -> Tensor:
    """Return how far expected errors are from those of the network's own labels.

    Poisson deviance, as a share of the errors: a fresh network makes so many more errors than a
    trained one that nothing else would be learned at first.

    Parameters
    ----------
    expected
        Error at each sample of the lattice that was segmented, (B, 1, h, w), more than 0.
    errors
        True error of each sample, (B, 1, h, w), see `network_errors`.
    weight
        Labelled area that each sample stands for, (B, 1, h, w).
    """
    deviance = _deviance(expected, errors) * weight
    return 2 * deviance.sum() / (errors * weight).sum().clamp_min(1e-6)


def network_errors(logits: Tensor, target: Tensor, class_weights: Tensor) -> Tensor:
    """Return what the predicted class shares of each sample cost, (B, 1, h, w), without gradient.

    Parameters
    ----------
    logits
        Scores of the classes, (B, C, h, w).
    target
        True shares of the classes, (B, C, h, w).
    class_weights
        What a wrong pixel costs, (C,): half that of its own class, half that of the other.
    """
    shares = torch.softmax(logits.detach().float(), dim=1)
    cost = class_weights[:, None, None] * (shares - target).abs() / 2
    return cost.sum(dim=1, keepdim=True)


def _deviance(rate: Tensor, errors: Tensor) -> Tensor:
    rate = rate.clamp_min(1e-8)
    return torch.xlogy(errors, errors) - errors * rate.log() - errors + rate
