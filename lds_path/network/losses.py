"""What training asks for: good labels, and samples where the labels change."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from monai.losses.dice import DiceLoss

if TYPE_CHECKING:
    from torch import Tensor

    from lds_path.geometry import Size


def segmentation_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return Dice loss plus cross-entropy on the lattice, as the whole region would have them.

    The weight is the area that a sample stands for (det J of the grid) times its labelled share.
    With it, sums over samples estimate integrals over the region, so that dense places are not
    counted many times. Its gradient is kept: without it the density network would learn to put
    few samples where the loss is high.

    Parameters
    ----------
    logits
        Scores of the classes, (B, C, h, w).
    target
        Shares of the classes, (B, C, h, w), in [0, 1].
    weight
        Weight of each sample, (B, 1, h, w), not negative; zero ignores the sample.

    Returns
    -------
    Tensor
        A number; zero if every weight is zero.
    """
    logits = logits.float()
    return _dice(torch.softmax(logits, dim=1), target, weight) + _cross_entropy(
        logits, target, weight
    )


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


def edge_loss(density: Tensor, edges: Tensor, *, floor: float = 0.1, blur: float = 1.0) -> Tensor:
    """Return how far the density is from the distribution of the class boundaries.

    It is the Kullback-Leibler divergence, image by image: zero for a density that follows the
    blurred boundaries, with a floor; an image without boundaries asks for constant density.

    Parameters
    ----------
    density
        Density with mean 1, (B, 1, hd, wd).
    edges
        Boundary share of each cell, (B, 1, hd, wd), as `edge_density` gives it.
    floor
        Part of the target that is spread evenly.
    blur
        Standard deviation of the blur, in cells.
    """
    wanted = _gaussian_blur(edges.float(), blur).flatten(1)
    total = wanted.sum(dim=1, keepdim=True)
    cells = wanted.shape[1]
    even = torch.full_like(wanted, 1 / cells)
    target = torch.where(total > 1e-6, wanted / total.clamp_min(1e-6), even)
    target = (1 - floor) * target + floor * even
    found = density.float().flatten(1) / cells
    return (target * (target.log() - found.log())).sum(dim=1).mean()


def _dice(probability: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the weighted Dice loss, mean over the classes that the batch holds.

    Both sides times the root of the weight: MONAI's squared form then sums w p t, w p^2, w t^2.
    """
    root = (weight + 1e-12).sqrt()
    present = (target * weight).sum(dim=(0, 2, 3)) > 0
    if not bool(present.any()):
        return probability.sum() * 0
    loss = DiceLoss(squared_pred=True, batch=True, smooth_nr=1e-5, smooth_dr=1e-5)
    dice: Tensor = loss((probability * root)[:, present], (target * root)[:, present])
    return dice


def _cross_entropy(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    surprise = -(target * torch.log_softmax(logits, dim=1)).sum(dim=1, keepdim=True)
    return (weight * surprise).sum() / weight.sum().clamp_min(1e-6)


def _gaussian_blur(image: Tensor, sigma: float) -> Tensor:
    radius = math.ceil(3 * sigma)
    offset = torch.arange(-radius, radius + 1, dtype=image.dtype, device=image.device)
    kernel = torch.exp(-0.5 * (offset / sigma) ** 2)
    kernel = kernel / kernel.sum()
    padded = F.pad(image, (radius, radius, radius, radius), mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
