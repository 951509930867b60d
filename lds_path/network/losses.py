"""The losses of training: for good labels, and for samples where the labels change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from lds_path.network.architectures.monai_networks import dice_loss
from lds_path.network.grid import sample_area
from lds_path.network.motion import move_grid

if TYPE_CHECKING:
    from torch import Tensor

    from lds_path.geometry import Size


def segmentation_loss(
    logits: Tensor,
    target: Tensor,
    weight: Tensor,
    *,
    dice: float = 1.0,
    cross_entropy: float = 1.0,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Return Dice loss plus cross-entropy on the lattice, as estimates of those of the whole region.

    The weight is the area that a sample stands for (det J of the grid) times its labelled share.
    With it, sums over samples estimate integrals over the region, so that densely sampled areas do not
    count more than others. Its gradient is kept: without it the density network would learn to put
    few samples where the loss is high.

    Parameters
    ----------
    logits
        Scores of the classes, (B, C, h, w).
    target
        Shares of the classes, (B, C, h, w), in [0, 1].
    weight
        Weight of each sample, (B, 1, h, w), not negative; zero ignores the sample.
    dice, cross_entropy
        Factors of the two parts.
    class_weights
        Relative weight of each class, (C,); all equal when None.

    Returns
    -------
    Tensor
        A number; zero if every weight is zero.
    """
    logits = logits.float()
    if class_weights is None:
        class_weights = torch.ones_like(logits[0, :, 0, 0])
    loss = logits.sum() * 0
    if dice > 0:
        probability = torch.softmax(logits, dim=1)
        loss = loss + dice * _dice(probability, target, weight, class_weights)
    if cross_entropy > 0:
        loss = loss + cross_entropy * _cross_entropy(logits, target, weight, class_weights)
    return loss


def point_loss(
    logits: Tensor,
    grid: Tensor,
    finest: Tensor,
    points: Tensor,
    *,
    motion: Tensor | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Return the cross-entropy at points between the samples, against the labels at these points.

    Points drawn evenly from the lattice, each weighted by the area that its surroundings stand
    for, estimate the loss of the interpolated scores at full size; no inverse map is needed,
    because a point's position in the region is the grid interpolated at it.

    Parameters
    ----------
    logits
        Scores of the classes, (B, C, h, w).
    grid
        Sample positions, (B, h, w, 2).
    finest
        Area fraction of each class, (B, C, H, W), in [0, 1], or in 0..255 as uint8.
    points
        Positions on the lattice, (x, y) in [-1, 1], (B, n, 2).
    motion
        Motion of the grid relative to the fractions, (B, 2, 3); none when None.
    class_weights
        Relative weight of each class, (C,); all equal when None.
    """
    if class_weights is None:
        class_weights = torch.ones_like(grid[0, 0, 0, 0]).expand(logits.shape[1])
    at = points[:, None].to(grid.dtype)  # (B, 1, n, 2)
    positions = _read(grid.movedim(-1, 1), at).movedim(1, -1)  # (B, 1, n, 2)
    positions = positions if motion is None else move_grid(positions, motion)
    shares = _read(finest.to(grid.dtype), positions) / (255 if finest.dtype == torch.uint8 else 1)
    labelled = shares.sum(dim=1, keepdim=True)
    target = shares / labelled.clamp_min(1e-6)
    weight = _read(sample_area(grid), at) * labelled.clamp(0, 1)
    return _cross_entropy(_read(logits.to(grid.dtype), at), target, weight, class_weights)


def edge_density(labels: Tensor, size: Size) -> Tensor:
    """Return how much boundary between classes each cell of the density map holds.

    A boundary lies between two neighbours of different class, whichever the classes are. Where
    one of them is 0 (background) or 255 (to ignore), there is none.

    Parameters
    ----------
    labels
        Class values, (B, H, W), uint8, at the finest resolution there is.
    size
        Size of the density map.

    Returns
    -------
    Tensor
        Share of boundary pixels, (B, 1, hd, wd), float32 in [0, 1].
    """
    labelled = (labels != 0) & (labels != 255)
    edge = torch.zeros_like(labelled)
    for dim in (1, 2):
        length = labels.shape[dim] - 1
        before, after = labels.narrow(dim, 0, length), labels.narrow(dim, 1, length)
        both = labelled.narrow(dim, 0, length) & labelled.narrow(dim, 1, length)
        differ = (before != after) & both
        edge.narrow(dim, 0, length).logical_or_(differ)
        edge.narrow(dim, 1, length).logical_or_(differ)
    return F.adaptive_avg_pool2d(edge[:, None].float(), (size.height, size.width))


def target_density(
    edges: Tensor,
    shares: Tensor | None = None,
    *,
    floor: float = 0.1,
    blur: float = 1.0,
    rarity: float = 0.0,
) -> Tensor:
    """Return the density that reference labels ask for.

    It follows the blurred boundaries, image by image, with a floor; where there is nothing to
    follow it is constant. With it in place of the network's density a sampler is the oracle, the
    edge-based sampling of Marin 2019.

    Parameters
    ----------
    edges
        Boundary share of each cell, (B, 1, hd, wd), as `edge_density` gives it.
    shares
        Area of each class in each cell in any unit, (B, C, hd, wd); only for `rarity`.
    floor
        Fraction of the target that is spread evenly.
    blur
        Standard deviation of the blur, in cells; 0 is none.
    rarity
        Fraction of the rest that is divided evenly among the classes of an image, each part
        spread over the class's area.

    Returns
    -------
    Tensor
        Density, (B, 1, hd, wd), float32, mean 1 in each image, not below the floor.
    """
    wanted = _to_mean_one(_gaussian_blur(edges.float(), blur))
    if rarity > 0 and shares is not None:
        present = (shares.sum(dim=(2, 3), keepdim=True) > 0).float()  # (B, C, 1, 1)
        even = (present * _to_mean_one(shares.float())).sum(dim=1, keepdim=True)
        rare = _to_mean_one(_gaussian_blur(even, blur))
        wanted = (1 - rarity) * wanted + rarity * rare
    return (1 - floor) * wanted + floor


def edge_loss(density: Tensor, target: Tensor, *, kind: str = "kl") -> Tensor:
    """Return how far the density is from its target, the mean over images.

    Parameters
    ----------
    density
        Density with mean 1, (B, 1, hd, wd).
    target
        The same, as `target_density` gives it.
    kind
        `kl`: Kullback-Leibler divergence of the two as distributions, zero if they are equal.
        `mse`: mean squared difference after each image is stretched to 0..1 (Jin 2022, where
        the batch as a whole is stretched).
    """
    predicted, wanted = density.float().flatten(1), target.float().flatten(1)
    if kind == "mse":
        return (_stretch(predicted) - _stretch(wanted)).square().mean()
    return (wanted * (wanted.log() - predicted.log())).mean(dim=1).mean()


def _dice(probability: Tensor, target: Tensor, weight: Tensor, class_weights: Tensor) -> Tensor:
    """Return the weighted Dice loss, mean over the classes that the batch holds.

    Both sides times the root of the weight: MONAI's squared form then sums w p t, w p^2, w t^2.
    """
    root = (weight + 1e-12).sqrt()
    present = (target * weight).sum(dim=(0, 2, 3)) > 0
    if not bool(present.any()):
        return probability.sum() * 0
    relative_weights = class_weights[present] / class_weights[present].mean().clamp_min(1e-6)
    loss = dice_loss()(
        squared_pred=True, batch=True, smooth_nr=1e-5, smooth_dr=1e-5, weight=relative_weights
    )
    dice: Tensor = loss((probability * root)[:, present], (target * root)[:, present])
    return dice


def _cross_entropy(logits: Tensor, target: Tensor, weight: Tensor, class_weights: Tensor) -> Tensor:
    """Return the mean surprise, each part of a sample weighted by its class too."""
    target = target * class_weights[:, None, None]
    surprise = -(target * torch.log_softmax(logits, dim=1)).sum(dim=1, keepdim=True)
    total = (weight * target.sum(dim=1, keepdim=True)).sum()
    return (weight * surprise).sum() / total.clamp_min(1e-6)


def _read(values: Tensor, positions: Tensor) -> Tensor:
    return F.grid_sample(
        values, positions, mode="bilinear", padding_mode="border", align_corners=False
    )


def _to_mean_one(amount: Tensor) -> Tensor:
    """Return maps divided by their mean, or constant where there is nothing."""
    mean = amount.mean(dim=(2, 3), keepdim=True)
    return torch.where(mean > 1e-9, amount / mean.clamp_min(1e-9), 1.0)


def _stretch(values: Tensor) -> Tensor:
    """Return values between 0 and 1 in each row, (B, n)."""
    low, high = values.amin(dim=1, keepdim=True), values.amax(dim=1, keepdim=True)
    return (values - low) / (high - low).clamp_min(1e-6)


def _gaussian_blur(image: Tensor, sigma: float) -> Tensor:
    if sigma == 0:
        return image
    radius = math.ceil(3 * sigma)
    offset = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (offset / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(image, (radius, radius, radius, radius), mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
