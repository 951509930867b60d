"""Texture beside colour: how much the pixels differ that a sample stands for.

A sample is the mean colour of its pixels and says nothing of nuclei smaller than itself. Its texture
does, see `pixels.texture`. The energies add up over any area as colours do, so that a warp cannot
distort them; a stain that is `f` times as strong multiplies them by `f` squared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lds_path.network.warp import halve, warp
from lds_path.pixels.octaves import OCTAVES
from lds_path.pixels.texture import FLOOR, energies_of_codes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_CENTRE, _SPREAD = -6.0, 3.0
"""Of the logarithms of energies, to base 2, in tissue."""


def texture_levels(codes: Tensor, count: int) -> list[Tensor]:
    """Return the energies of regions at their own and at halved resolutions, (B, 9, H / 2^k, W / 2^k).

    Parameters
    ----------
    codes
        As `measure_texture` returns them, (B, 9, H, W), uint8.
    count
        Number of levels.
    """
    energies = torch.from_numpy(energies_of_codes())[codes.long()]
    return halve(energies, count)


def read_texture(levels: Sequence[Tensor], grid: Tensor, area: Tensor | None = None) -> Tensor:
    """Return the texture of samples as a network sees it, (B, 9, h, w), of about unit spread.

    Parameters
    ----------
    levels
        As `texture_levels` returns them; none for a network without texture, which sees (B, 0, h, w).
    grid, area
        As for `warp`.
    """
    if not levels:
        return grid.new_zeros((len(grid), 0, *grid.shape[1:3]))
    return _to_inputs(warp(levels, grid, area))


def restain(texture: Tensor, stain: Tensor) -> Tensor:
    """Return the texture of samples whose optical density is multiplied by factors, (B, 9, h, w).

    Parameters
    ----------
    texture
        As `read_texture` returns it.
    stain
        Factor on each colour's optical density, (B, 3, 1, 1).
    """
    energies = torch.exp2(_SPREAD * texture + _CENTRE) - FLOOR
    return _to_inputs((stain**2).repeat(1, OCTAVES, 1, 1) * energies.clamp_min(0))


def _to_inputs(energies: Tensor) -> Tensor:
    return (torch.log2(energies + FLOOR) - _CENTRE) / _SPREAD
