"""The part of the network that sees the coarse view: where to sample, and how densely."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from lds_path.network.benefit import BenefitHead
from lds_path.network.density import DensityNetwork, LocalDensityNetwork
from lds_path.network.grid import sample_area, sampling_grid, toward_uniform
from lds_path.network.warp import halve, warp

if TYPE_CHECKING:
    from torch import Tensor

    from lds_path.geometry import Size
    from lds_path.network.spec import NetworkSpec


@dataclass(frozen=True)
class Sampling:
    """Where a batch of regions is sampled."""

    density: Tensor
    """Density map, (B, 1, hd, wd), float32, mean 1."""
    grid: Tensor
    """Sample positions (x, y) in [-1, 1], (B, h, w, 2), float32."""
    context: Tensor
    """What is known of each sample besides its colours, (B, K, h, w); K is 0 without
    `shared_features`."""
    features: Tensor
    """Features that the density was made from, (B, F, hd, wd)."""


class Scout(nn.Module):
    """Decides from a coarse view where to sample a region, and predicts the error on each lattice.

    The view includes the margin of the spec around the region; maps cover only the region.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.density = build_density_network(spec)
        if spec.ladder:
            self.benefit = BenefitHead(self.density.feature_count, len(spec.ladder))
        for name, values in (("mean", spec.mean), ("std", spec.std)):
            colour = torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1)
            self.register_buffer(name, colour, persistent=False)

    def sample(self, view: Tensor, lattice: Size, density: Tensor | None = None) -> Sampling:
        """Return where to sample regions.

        Parameters
        ----------
        view
            The regions and their margin at the coarse view's level, (B, 3, H, W), RGB in 0..255.
        lattice
            Number of samples across and down.
        density
            A density to sample by instead of the network's, such as the `target_density` of the
            reference labels (Marin 2019's edge-based sampling, the oracle of studies).
        """
        predicted, features = self.predict_density(view)
        return self.place_samples(predicted if density is None else density, features, lattice)

    def predict_density(self, view: Tensor) -> tuple[Tensor, Tensor]:
        """Return the density map and the features of a coarse view, as `Sampling` has them.

        Where nothing depends on the view, the density is constant and there are no features.
        """
        density: Tensor
        if not self.spec.uses_view:
            margin = 2 * self.spec.cell_margin
            height, width = (side // 2 - margin for side in view.shape[2:])
            density = torch.ones((len(view), 1, height, width), device=view.device)
            return density, density[:, :0]
        density, features = self.density(self._normalise(view), margin=self.spec.cell_margin)
        return density, features

    def place_samples(
        self,
        density: Tensor,
        features: Tensor,
        lattice: Size,
        strength: Tensor | None = None,
    ) -> Sampling:
        """Return a lattice of samples that follows a density, as strongly as the spec says.

        Parameters
        ----------
        density, features, lattice
            As `Sampling` and `sample` have them.
        strength
            Of the warp of each region, (B,), in place of the spec's `warp_strength`.
        """
        spec = self.spec
        grid = sampling_grid(
            density,
            lattice,
            sampler=spec.sampler,
            kernel_width=spec.kernel_width,
            smoothing=spec.smoothing,
            max_zoom=spec.max_zoom,
        )
        if spec.warps and (strength is not None or spec.warp_strength < 1):
            grid = toward_uniform(grid, spec.warp_strength if strength is None else strength)
        return Sampling(density, grid, self._context(features, grid), features)

    def look_at(self, view: Tensor, grid: Tensor) -> Tensor:
        """Return the context, as `Sampling` has it, of samples that another model has placed.

        Parameters
        ----------
        view
            As for `sample`.
        grid
            Sample positions, (B, h, w, 2).
        """
        _, features = self.predict_density(view)
        return self._context(features, grid)

    def _context(self, features: Tensor, grid: Tensor) -> Tensor:
        if not self.spec.shared_features:
            return grid.new_zeros((len(grid), 0, *grid.shape[1:3]))
        return read_context(features, grid, absolute=bool(self.spec.ladder))

    def predict_errors(self, view: Tensor) -> Tensor:
        """Return the error of each cell on each rung of the ladder, (B, rungs, hd, wd).

        It is a fraction of the cell's area, weighted by class as in the training.

        Parameters
        ----------
        view
            As for `sample`.
        """
        _, features = self.predict_density(view)
        errors: Tensor = self.benefit(features)
        return errors

    def _normalise(self, image: Tensor) -> Tensor:
        return (image.float() / 255 - self.mean) / self.std


def read_context(features: Tensor, grid: Tensor, *, absolute: bool = False) -> Tensor:
    """Return features at the samples, and half the log2 of each sample's area, (B, K + 1, h, w).

    Parameters
    ----------
    features
        Of the coarse view, (B, K, hd, wd).
    grid
        Sample positions, (B, h, w, 2).
    absolute
        For grids of different sizes: measure the area in cells of the features, not in that of
        the uniform grid's samples, and average the features where samples are sparser than cells.
    """
    height, width = features.shape[2:]
    with torch.autocast(device_type=grid.device.type, enabled=False):
        features = features.to(grid.dtype)
        area = sample_area(grid)
        if absolute:
            values = read_cells(features, grid, area)
            area = area * (height * width / (grid.shape[1] * grid.shape[2]))
        else:
            values = warp([features], grid, area)
        return torch.cat((values, 0.5 * torch.log2(area)), dim=1)


def read_cells(cells: Tensor, grid: Tensor, area: Tensor | None = None) -> Tensor:
    """Return values of cells at the samples, averaged where samples are sparser, (B, K, h, w).

    Parameters
    ----------
    cells
        Values, (B, K, hd, wd).
    grid
        Sample positions, (B, h, w, 2).
    area
        As for `warp`.
    """
    height, width = cells.shape[2:]
    return warp(halve(cells, 1 + min(_times_even(height), _times_even(width))), grid, area)


def _times_even(number: int) -> int:
    """Return how many times a number can be halved."""
    return (number & -number).bit_length() - 1


def build_density_network(spec: NetworkSpec) -> DensityNetwork | LocalDensityNetwork:
    """Return the density network of a spec, with fresh weights."""
    if spec.density_network == "local":
        return LocalDensityNetwork(floor=spec.density_floor)
    return DensityNetwork(channels=spec.density_channels, floor=spec.density_floor)
