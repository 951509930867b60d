"""Regions of pyramids as torch tensors."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
import torch

from lds_path.errors import ModelError, UsageError
from lds_path.geometry import Rectangle, Size, widen
from lds_path.network.spec import texture_count
from lds_path.network.texture import texture_levels
from lds_path.network.warp import halve
from lds_path.pixels.octaves import TEXTURE_EDGE
from lds_path.pixels.texture import measure_texture

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from lds_path.formats.pyramid import Pyramid
    from lds_path.geometry import Region
    from lds_path.network.spec import NetworkSpec


CELL = 256
"""Edge, in working pixels, of the squares in which a level is read from the slide: a tile of most."""
MOST = 0.6
"""If more of the squares are read, all are: they are faster together."""


def read_region(
    pyramid: Pyramid, region: Region, level: int, cells: NDArray[np.bool_] | None = None
) -> Tensor:
    """Return a region at a pyramid level.

    A level that the pyramid of a small slide does not have is averaged from its coarsest one.

    Parameters
    ----------
    pyramid
        Where to read.
    region
        The region; its corner and size must be multiples of 2^level.
    level
        Pyramid level.
    cells
        The squares of `cell_edge(level)` pixels that are read, (rows, columns); the others are
        black. All when not given.

    Returns
    -------
    Tensor
        RGB, (3, H / 2^level, W / 2^level), uint8, the background beyond the slide's edges.

    Raises
    ------
    UsageError
        If the region does not begin and end on whole pixels of the level.
    """
    factor = 2**level
    if any(side % factor for side in (region.left, region.top, *_sides(region.size))):
        raise UsageError(
            f"region {region.index} at ({region.left}, {region.top}) of {region.size.width} x"
            f" {region.size.height} pixels does not fit pyramid level {level}; set `region_size`"
            f" and `overlap` to multiples of {factor}"
        )
    stored = min(level, pyramid.level_count - 1)
    scale = 2**stored
    size = Size(region.size.width // scale, region.size.height // scale)
    corner = Rectangle(region.left // scale, region.top // scale, size)
    if cells is None or cells.mean() > MOST:
        pixels = pyramid.read(stored, corner.left, corner.top, size)
    else:
        pixels = _read_cells(pyramid, corner, stored, cells)
    planes = torch.from_numpy(pixels).permute(2, 0, 1)
    if stored < level:
        planes = to_uint8(halve(planes[None].float(), level - stored + 1)[-1][0])
    return planes.contiguous()


def cell_edge(level: int) -> int:
    """Return the edge of the squares in which a level is read from the slide, in its pixels."""
    return max(CELL >> level, 1)


def _read_cells(
    pyramid: Pyramid, window: Rectangle, level: int, cells: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Return a rectangle in which only some squares are read, those of a row together."""
    pixels = np.zeros((window.size.height, window.size.width, 3), np.uint8)
    edge = cell_edge(level)
    for row, line in enumerate(cells):
        for wanted, run in groupby(enumerate(line.tolist()), key=itemgetter(1)):
            columns = [column for column, _ in run]
            if wanted:
                size = Size(len(columns) * edge, edge)
                part = Rectangle(columns[0] * edge, row * edge, size).clipped(window.size)
                left, top = window.left + part.left, window.top + part.top
                pixels[part.slices] = pyramid.read(level, left, top, part.size)
    return pixels


def read_view(pyramid: Pyramid, region: Region, spec: NetworkSpec) -> Tensor:
    """Return what a model's coarse view shows of a region and its margin, as `read_region` does."""
    return read_region(pyramid, widen(region, spec.view_margin), spec.view_level)


def read_energies(
    pyramid: Pyramid, region: Region, spec: NetworkSpec, levels: range
) -> list[Tensor]:
    """Return the levels of texture of a region as a batch of one; none for a model without texture.

    Parameters
    ----------
    pyramid, region, spec
        As for `read_view`.
    levels
        Those that the samples read colours from.
    """
    if not spec.texture:
        return []
    stored = pyramid.texture
    if stored is not None and stored.level == spec.texture_level:
        edge = TEXTURE_EDGE << stored.level
        size = Size(region.size.width // edge, region.size.height // edge)
        codes = stored.read(region.left // edge, region.top // edge, size)
    else:
        codes = measure_texture(read_region(pyramid, region, spec.texture_level).numpy())
    return texture_levels(torch.from_numpy(codes)[None], texture_count(spec, levels))


def check_finite(what: str, values: Tensor, place: str) -> None:
    """Check what a network returns, before it is stored as whole numbers or summed.

    Raises
    ------
    ModelError
        If a value is infinite or NaN.
    """
    if not bool(torch.isfinite(values).all()):
        raise ModelError(
            f"the model gives {what} that are not finite numbers, from {place} on; its"
            " weights are damaged or too large: copy the model again, or train it again"
        )


def to_uint8(image: Tensor) -> Tensor:
    """Return values in 0..255 rounded, halves up."""
    return (image + 0.5).to(torch.uint8)


def _sides(size: Size) -> tuple[int, int]:
    return size.width, size.height
