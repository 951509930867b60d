"""The families of maps from lattice to region: how a density moves the samples.

Convention: positions are (x, y) in [-1, 1], the outer pixel edges at -1 and 1; a grid maps lattice
points to the region. Densities are positive, (B, hd, wd); grids are (B, h, w, 2).

The two families that invert distribution functions compute in float64: where the density is low,
a rounding error of the distribution moves a sample far. Their tensors are small.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from lds_path.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

    from lds_path.geometry import Size

MIN_CORNER_AREA = 0.01
"""Smallest area that two sides of a cell of a kernel grid span, as a fraction of an upright cell's."""

_REACH = 6.0  # sigmas; a Gaussian is below 2e-8 of its peak there


def uniform_grid(lattice: Size, like: Tensor) -> Tensor:
    """Return the centres of equal areas, (1, h, w, 2), with the dtype and device of a tensor."""
    x = _centres(lattice.width, like)
    y = _centres(lattice.height, like)
    rows, columns = torch.meshgrid(y, x, indexing="ij")
    return torch.stack((columns, rows), dim=-1)[None]  # (1, h, w, 2)


def kernel_grid(
    density: Tensor, lattice: Size, *, kernel_width: float, max_zoom: float | None
) -> Tensor:
    """Return the mean position around each lattice point, weighted by density and kernel.

    u(x) = sum d(x') k(x, x') x' / sum d(x') k(x, x')   (Recasens 2018; Jin 2022, eq. 3)

    The Gaussian k is separable and never cut, so that u is the gradient of a convex function and
    cannot fold. The density is mirrored endlessly at the edges, folded into the two matrices,
    so that an edge of the region maps to itself.

    A lattice holds u only at its points. Neighbours along a row or a column keep their order
    however far apart they are, but where u rotates within a cell, a corner of the cell may still be
    folded over; this happens where the density jumps from cell to cell and the lattice's pitch is a
    quarter of the kernel's width or more. Such a grid is mixed with the uniform grid until no
    corner is folded, and so is one that zooms too far; everything above still holds.

    Raises
    ------
    UsageError
        If the kernel is narrower than a cell of the density.
    """
    narrowest = 1 / min(density.shape[1:])
    if not kernel_width >= narrowest:
        raise UsageError(
            f"kernel_width is {kernel_width}, below one cell of the density map"
            f" ({narrowest:.4f} of the region's side); widen it"
        )
    kind = density.dtype, density.device
    weight_y, moment_y = _kernel_matrices(lattice.height, density.shape[1], kernel_width, *kind)
    weight_x, moment_x = _kernel_matrices(lattice.width, density.shape[2], kernel_width, *kind)
    total = weight_y @ density @ weight_x.T  # (B, h, w)
    displacement_x = weight_y @ density @ moment_x.T / total
    displacement_y = moment_y @ density @ weight_x.T / total
    displacement = torch.stack((displacement_x, displacement_y), dim=-1)
    uniform = uniform_grid(lattice, density)
    fraction = _unfolded_fraction(displacement_x, displacement_y)
    if max_zoom is not None:
        fraction = torch.minimum(fraction, _fraction_within(uniform + displacement, max_zoom))
    return uniform + displacement * fraction[:, None, None, None]


def as_float64(tensor: Tensor) -> Tensor:
    """Return a tensor in float64, on the CPU where its device has none (`mps`)."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


def separable_grid(
    density: Tensor, lattice: Size, *, smoothing: float, max_zoom: float | None
) -> Tensor:
    """Return the grid whose columns, and whose rows, cut the density into parts of equal mass.

    x follows the marginal distribution across and y the one down, so columns and rows stay
    straight, and a dense place makes its whole row and column dense.
    """
    given, density = density, _smooth(as_float64(density), smoothing)
    x = _quantiles(density.sum(dim=1), lattice.width, max_zoom)  # (B, w)
    y = _quantiles(density.sum(dim=2), lattice.height, max_zoom)  # (B, h)
    size = (-1, lattice.height, lattice.width)
    return torch.stack((x[:, None, :].expand(size), y[:, :, None].expand(size)), dim=-1).to(given)


def knothe_rosenblatt_grid(
    density: Tensor, lattice: Size, *, smoothing: float, max_zoom: float | None
) -> Tensor:
    """Return the grid whose samples all stand for the same fraction of the density.

    The rows of the lattice cut the region into bands of equal mass, and the samples of a row cut
    its band into pieces of equal mass: the map of Knothe and Rosenblatt, y by its marginal
    distribution, then x by its distribution within the band. Rows stay straight, so it
    cannot fold; columns bend.
    """
    given, density = density, _smooth(as_float64(density), smoothing)
    rows = density.sum(dim=2)  # (B, hd)
    y = _quantiles(rows, lattice.height, max_zoom)  # (B, h)
    edges = _quantiles_at(_steps(lattice.height, density), rows, max_zoom)  # (B, h + 1)
    bands = _integrate(density, edges)  # (B, h, wd)
    x = _quantiles(bands, lattice.width, max_zoom)  # (B, h, w)
    return torch.stack((x, y[:, :, None].expand_as(x)), dim=-1).to(given)


@lru_cache(maxsize=16)
@torch.inference_mode(mode=False)  # what is kept may be used in a training
def _kernel_matrices(
    points: int, cells: int, kernel_width: float, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Return the sums over a cell's mirror images of k and of k times the offset.

    Both are (points, cells). Cell centre c has the images 4n + c and 4n + 2 - c; offsets are
    counted from the lattice point, so that nothing cancels where the density is constant.
    """
    sigma = 2 * kernel_width  # the region's side is 2 long
    repeats = math.ceil((_REACH * sigma + 2) / 4)
    like = torch.empty((), dtype=dtype, device=device)
    periods = 4.0 * torch.arange(-repeats, repeats + 1, dtype=dtype, device=device)
    centres = _centres(cells, like)
    images = torch.cat((periods[:, None] + centres, periods[:, None] + 2 - centres))
    offset = images[:, None, :] - _centres(points, like)[:, None]  # (images, points, cells)
    weight = torch.exp(-0.5 * (offset / sigma) ** 2)
    return weight.sum(dim=0), (weight * offset).sum(dim=0)


def _unfolded_fraction(displacement_x: Tensor, displacement_y: Tensor) -> Tensor:
    """Return the largest fraction of its displacements with which each grid stays unfolded, (B,).

    The displacements are (B, h, w) each. Where the sides a and b meet at a corner of a cell, the area
    ax by - ay bx that they span stays above MIN_CORNER_AREA of ax by, which is quadratic in the
    fraction.
    """
    height, width = displacement_x.shape[1:]
    x, y = displacement_x * (width / 2), displacement_y * (height / 2)  # in uniform pitches
    ax, ay, bx, by = x.diff(dim=2), y.diff(dim=2), x.diff(dim=1), y.diff(dim=1)
    fraction = displacement_x.new_ones(len(displacement_x))
    for rows in (slice(None, -1), slice(1, None)):
        for columns in (slice(None, -1), slice(1, None)):
            a, b = (ax[:, rows], ay[:, rows]), (bx[:, :, columns], by[:, :, columns])
            linear = a[0] + b[1]
            square = a[0] * b[1] - a[1] * b[0] / (1 - MIN_CORNER_AREA)
            falls = 1 + linear + square < 0
            if falls.any():
                roots = _first_root(linear, square, falls)
                fraction = torch.minimum(fraction, roots.flatten(1).amin(dim=1))
    return fraction


def _first_root(linear: Tensor, square: Tensor, falls: Tensor) -> Tensor:
    """Return the smallest positive root x of 1 + linear x + square x^2 where it falls below 0 by 1.

    Elsewhere there may be none, and neither a value nor a gradient comes from there: 1.
    """
    linear, square = torch.where(falls, linear, -1), torch.where(falls, square, 0)
    root = 2 / ((linear**2 - 4 * square).sqrt() - linear)
    return torch.where(falls, root, 1)


def _fraction_within(grid: Tensor, max_zoom: float) -> Tensor:
    """Return the largest fraction of its displacements that keeps each grid within a zoom, (B,).

    The pitch along either axis, edges included, is linear in that fraction.
    """
    x, y = grid.unbind(dim=-1)  # (B, h, w) each
    min_pitch = torch.minimum(_min_pitch(x, dim=2), _min_pitch(y, dim=1))
    fraction = (1 - 1 / max_zoom) / (1 - min_pitch).clamp_min(1e-6)
    return fraction.clamp_max(1)


def _min_pitch(position: Tensor, *, dim: int) -> Tensor:
    """Return the smallest distance between neighbours, (B,), in units of the uniform pitch."""
    count = position.shape[dim]
    first, last = position.narrow(dim, 0, 1), position.narrow(dim, count - 1, 1)
    pitch = torch.diff(position, dim=dim, prepend=-2 - first, append=2 - last)
    return pitch.flatten(1).amin(dim=1) * (count / 2)


def _smooth(density: Tensor, width: float) -> Tensor:
    """Return the density blurred by a Gaussian and mirrored at the edges; its sum stays.

    The width is the standard deviation as a fraction of the region's side; 0 changes nothing.
    """
    if width == 0:
        return density
    for dim in (1, 2):
        cells, kind = density.shape[dim], (density.dtype, density.device)
        weight, _ = _kernel_matrices(cells, cells, width, *kind)
        weight = weight / weight.sum(dim=1, keepdim=True)
        density = (weight @ density.transpose(1, dim)).transpose(1, dim)
    return density


def _quantiles(mass: Tensor, count: int, max_zoom: float | None) -> Tensor:
    """Return the middles of `count` parts of equal mass, (..., count), of cells (..., n)."""
    return _quantiles_at((_centres(count, mass) + 1) / 2, mass, max_zoom)


def _quantiles_at(fractions: Tensor, mass: Tensor, max_zoom: float | None) -> Tensor:
    """Return where fractions (k,) of the mass of cells (..., n) are reached, (..., k).

    The inverse of the distribution function, which is linear within each cell.
    """
    cells = mass.shape[-1]
    mass = mass / mass.mean(dim=-1, keepdim=True)
    if max_zoom is not None:
        mass = limit_peaks(mass, max_zoom)
    reached = torch.nn.functional.pad(mass.cumsum(dim=-1), (1, 0))  # (..., n + 1)
    wanted = (fractions * reached[..., -1:]).contiguous()  # (..., k)
    cell = torch.searchsorted(reached.detach().contiguous(), wanted.detach(), right=True) - 1
    cell = cell.clamp(0, cells - 1)
    within = (wanted - reached.gather(-1, cell)) / mass.gather(-1, cell)
    return (cell + within.clamp(0, 1)) * (2 / cells) - 1


def limit_peaks(mass: Tensor, limit: float) -> Tensor:
    """Return masses of mean 1 along the last axis, none above `limit`, the excess redistributed.

    The masses below the limit keep their proportions: among all distributions within the limit
    it is the closest by Kullback-Leibler divergence.
    """
    count = mass.shape[-1]
    ordered = mass.detach().sort(dim=-1, descending=True).values
    rest = ordered.flip(-1).cumsum(dim=-1).flip(-1)  # of the k-th and all smaller ones
    cut = torch.arange(count, dtype=mass.dtype, device=mass.device)
    fits = (count - cut * limit) * ordered <= limit * rest * (1 + 1e-6)
    first = fits.to(torch.uint8).argmax(dim=-1, keepdim=True)  # how many are cut
    scale = (count - first * limit) / rest.gather(-1, first)
    below = mass.detach() * scale < limit * (1 + 1e-6)
    kept = (mass * below).sum(dim=-1, keepdim=True)
    scale = (count - (~below).sum(dim=-1, keepdim=True) * limit) / kept.clamp_min(1e-12)
    return torch.where(below, mass * scale, limit)


def _integrate(density: Tensor, edges: Tensor) -> Tensor:
    """Return the mass of each column between edges (B, k + 1), (B, k, wd), of cells (B, hd, wd)."""
    cells = density.shape[1]
    position = (edges[:, :, None] + 1) * (cells / 2)  # (B, k + 1, 1)
    top = torch.arange(cells, dtype=density.dtype, device=density.device)
    overlap = torch.minimum(position[:, 1:], top + 1) - torch.maximum(position[:, :-1], top)
    return overlap.clamp_min(0) @ density


def _centres(count: int, like: Tensor) -> Tensor:
    index = torch.arange(count, dtype=like.dtype, device=like.device)
    return (2 * index + 1) / count - 1


def _steps(count: int, like: Tensor) -> Tensor:
    """Return 0, 1 / count, ..., 1."""
    return torch.arange(count + 1, dtype=like.dtype, device=like.device) / count
