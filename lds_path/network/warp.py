"""Reading a region at the positions of a grid, antialiased by its pyramid levels."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from lds_path.network.grid import sample_area

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from lds_path.geometry import Size


_SLACK = 0.01
"""Pixels by which rounding may move a sample."""


def warp(levels: Sequence[Tensor], grid: Tensor, area: Tensor | None = None) -> Tensor:
    """Return the region read at the grid's sample positions, without aliasing.

    Each sample reads the pyramid level whose pixel covers the area that the sample stands for,
    by interpolation within the two nearest levels and between them. Finer than the finest level
    or coarser than the coarsest, it reads that one.

    Convention: positions are (x, y) in [-1, 1], the outer pixel edges at -1 and 1; the grid maps
    output to input.

    Parameters
    ----------
    levels
        The region at its own and at halved resolutions, finest first, (B, C, H / 2^k, W / 2^k)
        of any number type.
    grid
        Sample positions, (B, h, w, 2), float32 or float64.
    area
        What each sample stands for, as `sample_area` gives it, which is also the default; it must
        be given for a grid that does not reach from edge to edge.

    Returns
    -------
    Tensor
        Warped region, (B, C, h, w), in the units of the levels and the type of the grid; samples
        near the edge repeat it. Mixed precision is switched off inside.

    Raises
    ------
    ValueError
        If a level is not half as large as the one before, or the batch sizes differ.
    """
    _check_levels(levels, grid)
    height, width = levels[0].shape[2:]
    with torch.autocast(device_type=grid.device.type, enabled=False):
        wanted = wanted_level(grid, width, height, len(levels), area)  # (B, 1, h, w)
        warped = torch.zeros((), dtype=grid.dtype, device=grid.device)
        for index in _range_of(wanted):
            weight = (1 - (wanted - index).abs()).clamp_min(0)
            warped = warped + weight * _sample(levels[index], grid)
    return warped


def wanted_level(
    grid: Tensor, width: int, height: int, count: int, area: Tensor | None = None
) -> Tensor:
    """Return the level that each sample reads, a fraction between two levels.

    It is log2 of the side of the square that has the sample's area, in pixels of the finest
    level. Averaging over just that area keeps detail where the grid is stretched along
    one axis only; the samplers stretch gently. The choice carries no gradient.

    Parameters
    ----------
    grid
        Sample positions, (B, h, w, 2).
    width, height
        Size of the finest level.
    count
        Number of levels.
    area
        As for `warp`.

    Returns
    -------
    Tensor
        Levels, (B, 1, h, w), in [0, count - 1].
    """
    rows, columns = grid.shape[1:3]
    uniform_pixels = (width / columns) * (height / rows)
    area = sample_area(grid) if area is None else area
    return (0.5 * torch.log2(area.detach() * uniform_pixels)).clamp(0, count - 1)


def levels_needed(wanted: Tensor) -> list[range]:
    """Return for each grid the indices of the levels that some sample reads.

    Parameters
    ----------
    wanted
        As `wanted_level` returns it, (B, 1, h, w).
    """
    return [_range_of(levels) for levels in wanted]


def cells_needed(grid: Tensor, wanted: Tensor, size: Size, index: int, cell: int) -> Tensor:
    """Return for each grid the squares of one level that some sample reads.

    Parameters
    ----------
    grid
        Sample positions, (B, h, w, 2).
    wanted
        As `wanted_level` returns it, (B, 1, h, w).
    size
        Size of the finest level.
    index
        The level, 0 for the finest.
    cell
        Edge of the squares in its pixels.

    Returns
    -------
    Tensor
        (B, rows, columns), bool.
    """
    reads = (wanted[:, 0] - index).abs() < 1  # (B, h, w)
    width, height = size.width >> index, size.height >> index
    columns, rows = -(-width // cell), -(-height // cell)
    x = (grid[..., 0] + 1) / 2 * width - 0.5
    y = (grid[..., 1] + 1) / 2 * height - 0.5
    item = torch.arange(len(grid), device=grid.device)[:, None, None].expand_as(x)[reads]
    cells = torch.zeros((len(grid), rows, columns), dtype=torch.bool, device=grid.device)
    for dx, dy in product((-_SLACK, 1 + _SLACK), repeat=2):  # the four pixels around a sample
        column = (x[reads] + dx).floor().clamp(0, width - 1).long() // cell
        row = (y[reads] + dy).floor().clamp(0, height - 1).long() // cell
        cells[item, row, column] = True
    return cells


def halve(image: Tensor, count: int) -> list[Tensor]:
    """Return an image and its next halved resolutions, `count` levels, area-averaged."""
    levels = [image]
    for _ in range(count - 1):
        levels.append(F.avg_pool2d(levels[-1], 2))
    return levels


def warp_labels(
    levels: Sequence[Tensor], grid: Tensor, area: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Return the class shares at the grid's sample positions.

    Class values are never interpolated: areas are averaged.

    Parameters
    ----------
    levels
        Area fraction of each class, finest level first, (B, C, H / 2^k, W / 2^k), in [0, 1], or
        in 0..255 as uint8; where the classes do not add up to one, the rest is not labelled.
    grid
        Sample positions, (B, h, w, 2).
    area
        As for `warp`.

    Returns
    -------
    Tensor
        Shares of the classes in the labelled part of each sample, (B, C, h, w); they add up to
        one, or to zero where nothing is labelled.
    Tensor
        Labelled share of each sample, (B, 1, h, w), in [0, 1].
    """
    shares = warp(levels, grid, area)
    if levels[0].dtype == torch.uint8:
        shares = shares / 255
    labelled = shares.sum(dim=1, keepdim=True)
    return shares / labelled.clamp_min(1e-6), labelled.clamp(0, 1)


def _check_levels(levels: Sequence[Tensor], grid: Tensor) -> None:
    height, width = levels[0].shape[2:]
    for index, level in enumerate(levels):
        if level.shape[0] != grid.shape[0]:
            raise ValueError(f"{level.shape[0]} regions and {grid.shape[0]} grids do not match")
        if (level.shape[2] << index, level.shape[3] << index) != (height, width):
            raise ValueError(
                f"level {index} is {tuple(level.shape[2:])}, expected"
                f" {(height, width)} / {2**index}"
            )


def _range_of(wanted: Tensor) -> range:
    lowest, highest = torch.aminmax(wanted)
    return range(int(lowest), int(torch.ceil(highest)) + 1)


def _sample(level: Tensor, grid: Tensor) -> Tensor:
    return F.grid_sample(
        level.to(grid.dtype), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
