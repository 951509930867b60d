"""The whole network: density, grid, warp, MONAI network, in that order."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from monai.networks.nets.flexible_unet import FlexibleUNet
from monai.networks.nets.segresnet import SegResNet
from monai.networks.nets.unet import UNet
from torch import nn

from lds_path.errors import UsageError
from lds_path.network.density import DensityNetwork, LocalDensityNetwork
from lds_path.network.grid import SAMPLERS, sample_area, sampling_grid
from lds_path.network.warp import warp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from lds_path.geometry import Region, Size

ARCHITECTURES = ("UNet", "SegResNet", "FlexibleUNet")
DENSITY_NETWORKS = ("context", "local")


@dataclass(frozen=True)
class NetworkSpec:
    """Everything that builds a `Segmenter`, without its weights."""

    class_count: int
    """Classes told apart; channel c of the output is class value c + 1."""
    architecture: str = "UNet"
    """MONAI network: UNet, SegResNet or FlexibleUNet."""
    channels: tuple[int, ...] = (48, 64, 96, 128, 160)
    """UNet: channels of each level. SegResNet: its first is `init_filters`, its length the number
    of levels. FlexibleUNet: channels of the five levels of the decoder."""
    residual_units: int = 2
    """UNet only: convolutions in the residual unit of each level."""
    backbone: str = "efficientnet-b0"
    """FlexibleUNet only: its encoder, from fresh weights."""
    sampler: str = "knothe-rosenblatt"
    kernel_width: float = 0.1
    """`kernel` alone: standard deviation of the sampler's kernel, share of the region's side."""
    smoothing: float = 0.03
    """`separable` and `knothe-rosenblatt`: standard deviation of the blur of the density, share of
    the region's side."""
    max_zoom: float | None = None
    """The pitch is nowhere less than the uniform grid's divided by this; None sets no bound."""
    density_network: str = "context"
    """`context`: each cell sees the whole region; `local`: that of Jin et al. 2022, which sees 7 x 7
    pixels of the view."""
    density_channels: tuple[int, ...] = (16, 32, 64, 64, 64)
    """`context` alone: channels of its levels."""
    density_floor: float = 0.1
    """Lowest density where the mean is 1."""
    view_level: int = 4
    """Pyramid level of the coarse view that the density network sees."""
    shared_features: bool = False
    """Whether the segmentation network sees, besides the colours of each sample, what the density
    network made of its surroundings, and how far apart the samples are there."""
    mean: tuple[float, ...] = (0.8, 0.7, 0.8)
    """Mean of red, green and blue in [0, 1] over the training regions."""
    std: tuple[float, ...] = (0.15, 0.2, 0.15)

    def __post_init__(self) -> None:
        for name, known in (
            ("architecture", ARCHITECTURES),
            ("sampler", SAMPLERS),
            ("density_network", DENSITY_NETWORKS),
        ):
            if getattr(self, name) not in known:
                raise UsageError(
                    f"the {name} '{getattr(self, name)}' is unknown; there are {', '.join(known)}"
                )
        if not 0 < self.density_floor <= 1:
            raise UsageError(
                f"density_floor is {self.density_floor}, expected more than 0, up to 1"
            )
        if not self.smoothing >= 0:
            raise UsageError(f"smoothing is {self.smoothing}, expected 0 or more")
        if self.max_zoom is not None and not self.max_zoom >= 1:
            raise UsageError(f"max_zoom is {self.max_zoom}, expected 1 or more")

    @property
    def lattice_multiple(self) -> int:
        """What the sides of a lattice must be multiples of, so that the network can halve it."""
        return 32 if self.architecture == "FlexibleUNet" else 2 ** (len(self.channels) - 1)

    @property
    def region_multiple(self) -> int:
        """What the sides of a region must be multiples of, so that the view can be halved."""
        return int(2 ** (self.view_level + 1))


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


@dataclass(frozen=True)
class Segmentation:
    """What the network makes of a batch of regions."""

    logits: Tensor
    """Scores of the classes on the lattice, (B, C, h, w)."""
    density: Tensor
    """Density map, (B, 1, hd, wd), mean 1."""
    grid: Tensor
    """Sample positions (x, y) in [-1, 1], (B, h, w, 2), float32."""


class Segmenter(nn.Module):
    """Decides from a coarse view where to sample a region, and segments the samples.

    It works in two steps, because the grid decides which pyramid levels must be read at all:
    `sample` needs the coarse view only, `classify` the region warped onto the grid.
    Images are RGB in 0..255.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.density = build_density_network(spec)
        shared = self.density.feature_count + 1 if spec.shared_features else 0
        self.network = build_network(spec, inputs=3 + shared)
        for name, values in (("mean", spec.mean), ("std", spec.std)):
            colour = torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1)
            self.register_buffer(name, colour, persistent=False)

    def sample(self, view: Tensor, lattice: Size, density: Tensor | None = None) -> Sampling:
        """Return where to sample regions.

        Parameters
        ----------
        view
            The regions at the coarse view's level, (B, 3, H, W), RGB in 0..255.
        lattice
            Number of samples across and down.
        density
            A density to sample by instead of the network's, such as the `target_density` of the
            reference labels (Marin 2019's edge-based sampling, the oracle of studies).
        """
        found, features = self.density(self._normalise(view))
        density = found if density is None else density
        spec = self.spec
        grid = sampling_grid(
            density,
            lattice,
            sampler=spec.sampler,
            kernel_width=spec.kernel_width,
            smoothing=spec.smoothing,
            max_zoom=spec.max_zoom,
        )
        context = read_context(features, grid) if spec.shared_features else features[:, :0]
        return Sampling(density, grid, context)

    def classify(self, warped: Tensor, context: Tensor) -> Tensor:
        """Return the scores of the classes, (B, C, h, w).

        Parameters
        ----------
        warped
            Regions at the grid's positions, (B, 3, h, w), RGB in 0..255.
        context
            Of the same samples, as `sample` gives it.
        """
        samples = self._normalise(warped)
        if self.spec.shared_features:
            samples = torch.cat((samples, context.to(samples)), dim=1)
        logits: Tensor = self.network(samples)
        return logits

    def forward(
        self,
        view: Tensor,
        levels: Sequence[Tensor],
        lattice: Size,
        density: Tensor | None = None,
    ) -> Segmentation:
        """Return scores, density and grid of regions.

        Parameters
        ----------
        view
            The regions at the coarse view's level, (B, 3, H, W), RGB in 0..255.
        levels
            The regions' pyramid, finest level first, (B, 3, H / 2^k, W / 2^k), RGB in 0..255.
        lattice
            Number of samples across and down.
        density
            As for `sample`.
        """
        found = self.sample(view, lattice, density)
        logits = self.classify(warp(levels, found.grid), found.context)
        return Segmentation(logits, found.density, found.grid)

    def _normalise(self, image: Tensor) -> Tensor:
        return (image.float() / 255 - self.mean) / self.std


def read_context(features: Tensor, grid: Tensor) -> Tensor:
    """Return features at the samples, and half the log2 of each sample's area, (B, K + 1, h, w).

    Parameters
    ----------
    features
        Of the coarse view, (B, K, hd, wd).
    grid
        Sample positions, (B, h, w, 2).
    """
    with torch.autocast(device_type=grid.device.type, enabled=False):
        pitch = 0.5 * torch.log2(sample_area(grid))
        return torch.cat((warp([features.to(grid.dtype)], grid), pitch), dim=1)


def levels_around(size: Size, lattice: Size) -> range:
    """Return the pyramid levels that the samples of a region are read from.

    They reach from a quarter of the uniform grid's pitch to twice that pitch; the floor of the
    density keeps nearly every sample within.

    Parameters
    ----------
    size
        Size of the region in working pixels.
    lattice
        Number of samples across and down.
    """
    pitch = math.sqrt(size.width * size.height / (lattice.width * lattice.height))
    nearest = max(0, math.floor(math.log2(pitch) + 1e-9))
    return range(max(0, nearest - 2), nearest + 2)


def check_sizes(regions: Sequence[Region], spec: NetworkSpec) -> None:
    """Check that the network can halve every region and lattice as often as it must.

    Raises
    ------
    UsageError
        If a side is not a multiple of what the network needs.
    """
    for kind, key, multiple in (
        ("size", "region_size", spec.region_multiple),
        ("lattice", "lattice", spec.lattice_multiple),
    ):
        for region in regions:
            found: Size = getattr(region, kind)
            if found.width % multiple or found.height % multiple:
                raise UsageError(
                    f"region {region.index} has the {kind} {found.width} x {found.height}, but the"
                    f" model needs multiples of {multiple}; change `{key}` in config.yaml"
                )


def build_density_network(spec: NetworkSpec) -> DensityNetwork | LocalDensityNetwork:
    """Return the density network of a spec, with fresh weights."""
    if spec.density_network == "local":
        return LocalDensityNetwork(floor=spec.density_floor)
    return DensityNetwork(channels=spec.density_channels, floor=spec.density_floor)


def build_network(spec: NetworkSpec, *, inputs: int = 3) -> nn.Module:
    """Return the MONAI network of a spec, with fresh weights, for so many input channels.

    Raises
    ------
    UsageError
        If the channels are not what the architecture takes.
    """
    common: dict[str, Any] = {
        "spatial_dims": 2, "in_channels": inputs, "out_channels": spec.class_count
    }  # fmt: skip
    channels = spec.channels
    expected = 5 if spec.architecture == "FlexibleUNet" else max(len(channels), 2)
    if len(channels) != expected:
        raise UsageError(
            f"{spec.architecture} takes {expected} channels, found {len(channels)}; change them"
        )
    network: nn.Module
    match spec.architecture:
        case "UNet":
            units = {"num_res_units": spec.residual_units, "norm": "BATCH", "act": "RELU"}
            strides = (2,) * (len(channels) - 1)
            network = UNet(**common, channels=channels, strides=strides, **units)
        case "SegResNet":
            blocks = {"blocks_down": (1,) * len(channels), "blocks_up": (1,) * (len(channels) - 1)}
            network = SegResNet(**common, init_filters=channels[0], norm="BATCH", **blocks)
        case _:
            network = FlexibleUNet(
                in_channels=inputs,
                out_channels=spec.class_count,
                backbone=spec.backbone,
                decoder_channels=channels,
                pretrained=False,
            )
    return network
