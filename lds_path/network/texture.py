"""Texture beside colour: how much the pixels differ that a sample stands for.

A sample is the mean colour of its pixels and says nothing of nuclei smaller than itself. Its texture
does: for each colour, the variance of optical density among four neighbours, of pixels, of the means
of four, and of the means of those. Such energies add up over any area as colours do, so that a warp
cannot distort them; a stain that is `f` times as strong multiplies them by `f` squared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from lds_path.network.spec import OCTAVES
from lds_path.network.warp import halve, warp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

TEXTURE_CHANNELS = 3 * OCTAVES
_FLOOR = 1e-3
"""Energy of a smooth area: the grain of JPEG is less."""
_CENTRE, _SPREAD = -6.0, 3.0
"""Of the logarithms of energies, to base 2, in tissue."""


def texture_levels(pixels: Tensor, count: int) -> list[Tensor]:
    """Return the energies of images, (B, 9, H / 2^k, W / 2^k) for k from `OCTAVES` on, `count` levels.

    Parameters
    ----------
    pixels
        RGB in 0..255, (B, 3, H, W); the sides are multiples of 2^(`OCTAVES` + `count` - 1).
    """
    means = -torch.log((pixels.float() + 1) / 256)
    octaves: list[Tensor] = []
    for _ in range(OCTAVES):
        squares = F.avg_pool2d(means**2, 2)
        means = F.avg_pool2d(means, 2)
        octaves = [F.avg_pool2d(energy, 2) for energy in octaves]
        octaves.append((squares - means**2).clamp_min(0))
    return halve(torch.cat(octaves, dim=1), count)


def read_texture(levels: Sequence[Tensor], grid: Tensor, area: Tensor | None = None) -> Tensor:
    """Return the texture of samples as a network sees it, (B, 9, h, w), of about unit spread.

    Parameters
    ----------
    levels
        As `texture_levels` returns them.
    grid, area
        As for `warp`.
    """
    energies = warp(levels, grid, area)
    return (torch.log2(energies + _FLOOR) - _CENTRE) / _SPREAD


def restain(texture: Tensor, stain: Tensor) -> Tensor:
    """Return the texture of samples whose optical density is multiplied by factors, (B, 9, h, w).

    Parameters
    ----------
    texture
        As `read_texture` returns it.
    stain
        Factor on each colour's optical density, (B, 3, 1, 1).
    """
    factors = (stain**2).repeat(1, OCTAVES, 1, 1)
    energies = torch.exp2(_SPREAD * texture + _CENTRE) - _FLOOR
    return (torch.log2(factors * energies.clamp_min(0) + _FLOOR) - _CENTRE) / _SPREAD
