"""Regions shown rotated, shifted or scaled: an affine map before the sampling grid.

Nothing is resampled for it: the samples are taken elsewhere. Beyond its edges a region continues
as its mirror image.

Convention: a motion, (B, 2, 3), maps (x, y) of what is shown to (x, y) of the region, both in
[-1, 1], the outer pixel edges at -1 and 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

if TYPE_CHECKING:
    from torch import Tensor


def identity_motion(regions: int) -> Tensor:
    """Return the motion that changes nothing, (B, 2, 3)."""
    return torch.eye(2, 3).expand(regions, 2, 3)


def move_image(image: Tensor, motion: Tensor) -> Tensor:
    """Return an image as it is shown.

    Parameters
    ----------
    image
        Of the whole region, (B, C, H, W), floating point.
    motion
        Where it is read.
    """
    grid = F.affine_grid(motion.to(image), list(image.shape), align_corners=False)
    return F.grid_sample(image, grid, padding_mode="reflection", align_corners=False)


def with_margin(motion: Tensor, shares: tuple[float, float]) -> Tensor:
    """Return the motion of a view that shows more than the region, (B, 2, 3).

    Parameters
    ----------
    motion
        Of the region.
    shares
        The region's part of the view's width and of its height; both have one centre.
    """
    scale = motion.new_tensor(shares)
    linear = motion[:, :, :2] * scale[:, None] / scale
    return torch.cat((linear, (motion[:, :, 2] * scale)[..., None]), dim=2)


def move_grid(grid: Tensor, motion: Tensor) -> Tensor:
    """Return where in the region the samples of a grid over what is shown lie, (B, h, w, 2)."""
    motion = motion.to(grid)
    linear, shift = motion[:, None, :, :2], motion[:, None, None, :, 2]
    moved = grid @ linear.mT + shift
    return 1 - ((moved + 1).remainder(4) - 2).abs()


def area_factor(motion: Tensor) -> Tensor:
    """Return the area in the region per area shown, (B, 1, 1, 1)."""
    area: Tensor = torch.linalg.det(motion[:, :, :2].float()).abs()
    return area[:, None, None, None]
