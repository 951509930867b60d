"""From a density map to a sampling grid: the sampler families, and what a grid says of itself."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from lds_path.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from lds_path.geometry import Size

SAMPLERS = ("uniform", "kernel")

_REACH = 6.0  # sigmas; a Gaussian is below 2e-8 of its peak there


def sampling_grid(density: Tensor, lattice: Size, *, sampler: str, kernel_width: float) -> Tensor:
    """Return where in the region each lattice point reads.

    Convention: positions are (x, y) in [-1, 1], the outer pixel edges at -1 and 1; the grid maps
    lattice points to the region. Constant density gives the uniform grid, the centres of equal
    areas. A grid never folds and reaches from edge to edge.

    Parameters
    ----------
    density
        Positive relative density, (B, 1, hd, wd).
    lattice
        Number of samples across and down.
    sampler
        `uniform` ignores the density; `kernel` draws samples to its maxima.
    kernel_width
        Standard deviation of the kernel's Gaussian as a share of the region's side, along each
        axis; at least one cell of the density map. The kernel answers to structures up to about
        this size: a wider plateau of high density attracts nothing.

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
        match sampler:
            case "uniform":
                return uniform_grid(lattice, density).expand(density.shape[0], -1, -1, -1)
            case "kernel":
                return _kernel_grid(density, lattice, kernel_width)
            case _:
                raise UsageError(
                    f"the sampler '{sampler}' is unknown; there are {', '.join(SAMPLERS)}"
                )


def uniform_grid(lattice: Size, like: Tensor) -> Tensor:
    """Return the centres of equal areas, (1, h, w, 2), with the dtype and device of a tensor."""
    x = _centres(lattice.width, like)
    y = _centres(lattice.height, like)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack((columns, rows), dim=-1)[None]  # (1, h, w, 2)


def jacobian(grid: Tensor) -> Tensor:
    """Return the derivative of the positions by the lattice point, the identity if uniform.

    Convention: `result[:, i, j]` is the derivative of coordinate i (0 is x, 1 is y) along lattice
    axis j (0 is across, 1 is down), in units of the uniform pitch. Central differences; beyond
    an edge the grid goes on as its mirror image, which is what the samplers build in.

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


def _kernel_grid(density: Tensor, lattice: Size, kernel_width: float) -> Tensor:
    """Return the mean position around each lattice point, weighted by density and kernel.

    u(x) = sum d(x') k(x, x') x' / sum d(x') k(x, x')   (Recasens 2018; Jin 2022, eq. 3)

    The Gaussian k is separable and never cut, so that the grid is the gradient of a convex
    function and cannot fold. The density is mirrored at the edges without end,
    folded into the two matrices, so that an edge of the region maps to itself.
    """
    cells = density[:, 0]  # (B, hd, wd)
    narrowest = 1 / min(cells.shape[1:])
    if not kernel_width >= narrowest:
        raise UsageError(
            f"kernel_width is {kernel_width}, below one cell of the density map"
            f" ({narrowest:.4f} of the region's side); widen it"
        )
    weight_y, shift_y = _kernel_matrices(lattice.height, cells.shape[1], kernel_width, cells)
    weight_x, shift_x = _kernel_matrices(lattice.width, cells.shape[2], kernel_width, cells)
    total = weight_y @ cells @ weight_x.T  # (B, h, w)
    move_x = weight_y @ cells @ shift_x.T / total
    move_y = shift_y @ cells @ weight_x.T / total
    return uniform_grid(lattice, cells) + torch.stack((move_x, move_y), dim=-1)


def _kernel_matrices(
    points: int, cells: int, kernel_width: float, like: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the sums over a cell's mirror images of k and of k times the way there.

    Both are (points, cells). Cell centre c has the images 4n + c and 4n + 2 - c; the way is
    counted from the lattice point, so that nothing cancels where the density is constant.
    """
    sigma = 2 * kernel_width  # the region's side is 2 long
    turns = math.ceil((_REACH * sigma + 2) / 4)
    offsets = 4.0 * torch.arange(-turns, turns + 1, dtype=like.dtype, device=like.device)
    centres = _centres(cells, like)
    images = torch.cat((offsets[:, None] + centres, offsets[:, None] + 2 - centres))
    way = images[:, None, :] - _centres(points, like)[:, None]  # (images, points, cells)
    weight = torch.exp(-0.5 * (way / sigma) ** 2)
    return weight.sum(dim=0), (weight * way).sum(dim=0)


def _centres(count: int, like: Tensor) -> Tensor:
    index = torch.arange(count, dtype=like.dtype, device=like.device)
    return (2 * index + 1) / count - 1


def _slope(values: Tensor, per_unit: float, dim: int, *, mirrored: bool) -> Tensor:
    """Return the central difference along an axis, (B, h, w).

    A mirrored coordinate goes on beyond the edges -1 and 1 as its mirror image, the other one
    as it is on this side.
    """
    first, last = values.narrow(dim, 0, 1), values.narrow(dim, values.shape[dim] - 1, 1)
    if mirrored:
        first, last = -2 - first, 2 - last
    padded = torch.cat((first, values, last), dim=dim)
    count = values.shape[dim]
    return (padded.narrow(dim, 2, count) - padded.narrow(dim, 0, count)) * (per_unit / 2)
