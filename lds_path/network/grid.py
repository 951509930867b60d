"""From a density map to a sampling grid, and the derivatives and areas of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from lds_path.errors import UsageError
from lds_path.geometry import Size
from lds_path.network.samplers import (
    kernel_grid,
    knothe_rosenblatt_grid,
    separable_grid,
    uniform_grid,
)
from lds_path.network.spec import SAMPLERS

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["jacobian", "sample_area", "sampling_grid", "toward_uniform", "uniform_grid"]


def sampling_grid(
    density: Tensor,
    lattice: Size,
    *,
    sampler: str,
    kernel_width: float = 0.1,
    smoothing: float = 0.0,
    max_zoom: float | None = None,
) -> Tensor:
    """Return where in the region each lattice point reads.

    Convention: positions are (x, y) in [-1, 1], the outer pixel edges at -1 and 1; the grid maps
    lattice points to the region. Constant density gives the uniform grid, the centres of equal
    areas. A grid never folds and reaches from edge to edge.

    Parameters
    ----------
    density
        Positive relative density, (B, 1, hd, wd). Its lowest value relative to its mean bounds
        how sparse a place gets; `target_density` and `to_density` give it a floor.
    lattice
        Number of samples across and down.
    sampler
        `uniform` ignores the density. `kernel` draws samples to its maxima (Jin 2022). The others
        spread samples in proportion to it: `knothe-rosenblatt` so that each stands for the same
        mass, `separable` in its two marginals.
    kernel_width
        `kernel` only: standard deviation of its Gaussian as a fraction of the region's side, along
        each axis; at least one cell of the density map. The kernel responds to structures of
        up to about this size: a wider plateau of high density attracts no samples.
    smoothing
        `separable` and `knothe-rosenblatt`: standard deviation, as a fraction of the region's side,
        of the Gaussian that blurs the density first; 0 is none. It keeps columns from bending
        sharply.
    max_zoom
        The pitch between neighbours, along x in a row and along y in a column, is nowhere less
        than the uniform pitch divided by this, 1 or more; None sets no bound.

    Returns
    -------
    Tensor
        Sample positions, (B, h, w, 2), float32, or float64 for a float64 density. Mixed
        precision is switched off inside.

    Raises
    ------
    UsageError
        If the sampler is unknown or the kernel narrower than a cell.
    """
    with torch.autocast(device_type=density.device.type, enabled=False):
        density = density.double() if density.dtype == torch.float64 else density.float()
        cells = density[:, 0]  # (B, hd, wd)
        match sampler:
            case "uniform":
                return uniform_grid(lattice, cells).expand(len(cells), -1, -1, -1)
            case "kernel":
                return kernel_grid(cells, lattice, kernel_width=kernel_width, max_zoom=max_zoom)
            case "separable":
                return separable_grid(cells, lattice, smoothing=smoothing, max_zoom=max_zoom)
            case "knothe-rosenblatt":
                return knothe_rosenblatt_grid(
                    cells, lattice, smoothing=smoothing, max_zoom=max_zoom
                )
            case _:
                raise UsageError(
                    f"the sampler '{sampler}' is unknown; there are {', '.join(SAMPLERS)}"
                )


def toward_uniform(grid: Tensor, strength: float | Tensor) -> Tensor:
    """Return the grid uniform + strength (grid - uniform), (B, h, w, 2); 1 leaves it as it is, 0 makes it uniform.

    None of these grids folds if the given one does not: along rows and columns positions keep their order, and
    where a kernel grid turns, less of its displacement turns less.

    Convention: as for `sampling_grid`.

    Parameters
    ----------
    grid
        Sample positions, (B, h, w, 2).
    strength
        In [0, 1]; one for all, or one for each region, (B,).
    """
    uniform = uniform_grid(Size(grid.shape[2], grid.shape[1]), grid)
    share = torch.as_tensor(strength, dtype=grid.dtype, device=grid.device).reshape(-1, 1, 1, 1)
    return uniform + share * (grid - uniform)


def jacobian(grid: Tensor) -> Tensor:
    """Return the derivative of the positions by the lattice point, the identity if uniform.

    Convention: `result[:, i, j]` is the derivative of coordinate i (0 is x, 1 is y) along lattice
    axis j (0 is across, 1 is down), in units of the uniform pitch. Central differences; beyond
    an edge the grid continues as its mirror image, which is what the samplers build in.

    Parameters
    ----------
    grid
        Sample positions, (B, h, w, 2).

    Returns
    -------
    Tensor
        Derivatives, (B, 2, 2, h, w).
    """
    x, y = grid.unbind(dim=-1)  # (B, h, w) each
    height, width = x.shape[1:]
    across = (width / 2, 2)
    down = (height / 2, 1)
    rows = [
        torch.stack((_slope(x, *across, mirrored=True), _slope(x, *down, mirrored=False)), dim=1),
        torch.stack((_slope(y, *across, mirrored=False), _slope(y, *down, mirrored=True)), dim=1),
    ]
    return torch.stack(rows, dim=1)


def sample_area(grid: Tensor) -> Tensor:
    """Return the area that each sample stands for, in units of the uniform grid's.

    That is det J, so that a sum over samples weighted by it estimates the integral over the
    region whatever the grid.

    Parameters
    ----------
    grid
        Sample positions, (B, h, w, 2).

    Returns
    -------
    Tensor
        Areas, (B, 1, h, w), positive, with mean about 1.
    """
    derivative = jacobian(grid)
    (xx, xy), (yx, yy) = (row.unbind(dim=1) for row in derivative.unbind(dim=1))
    return (xx * yy - xy * yx)[:, None].clamp_min(1e-6)


def _slope(values: Tensor, per_unit: float, dim: int, *, mirrored: bool) -> Tensor:
    """Return the central difference along an axis, (B, h, w).

    A mirrored coordinate continues beyond the edges -1 and 1 as its mirror image, the other one
    with the values on this side.
    """
    first, last = values.narrow(dim, 0, 1), values.narrow(dim, values.shape[dim] - 1, 1)
    if mirrored:
        first, last = -2 - first, 2 - last
    padded = torch.cat((first, values, last), dim=dim)
    count = values.shape[dim]
    return (padded.narrow(dim, 2, count) - padded.narrow(dim, 0, count)) * (per_unit / 2)
