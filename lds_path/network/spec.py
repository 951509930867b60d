"""What builds a network, and which regions and lattices it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from lds_path.errors import UsageError
from lds_path.geometry import Size
from lds_path.option import MAX_ITEMS, Options, option, required
from lds_path.pixels.octaves import OCTAVES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lds_path.geometry import Region

ARCHITECTURES = ("UNet", "SpaceToDepthUNet", "EfficientNetLite", "SegResNet", "FlexibleUNet")
CHANNELS = {"SpaceToDepthUNet": (64, 96, 128, 192), "EfficientNetLite": (32, 48, 64, 128)}
"""Architecture -> its channels where none are given; the others have `UNET_CHANNELS`."""
UNET_CHANNELS = (48, 64, 96, 128, 160)
ENCODERS = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
DENSITY_NETWORKS = ("context", "local")
SAMPLERS = ("uniform", "kernel", "separable", "knothe-rosenblatt")
SIZE = {"minimum": 1, "maximum": 8192}
"""Bounds of channels and lattices; beyond them a description from elsewhere could only exhaust the memory."""
MIN_STD = 1e-4
"""Of the colours of a model; a training writes 0.01 or more."""


@dataclass(frozen=True)
class NetworkSpec(Options):
    """Everything that builds a `Segmenter`, without its weights."""

    class_count: int = required("number of classes", minimum=1, maximum=254, scope="python")
    """Channel c of the output is class value c + 1."""
    architecture: str = option(
        "UNet",
        "UNet, SpaceToDepthUNet, EfficientNetLite (with ImageNet weights), SegResNet or FlexibleUNet",
        choices=ARCHITECTURES,
    )
    channels: tuple[int, ...] = option(
        (),
        "channels of its levels, finest first; empty: the architecture's own",
        **SIZE,
        schema={
            "type": "array",
            "items": {"type": "integer", **SIZE},
            "oneOf": [{"maxItems": 0}, {"minItems": 2, "maxItems": MAX_ITEMS}],
        },
    )
    """UNet, SpaceToDepthUNet: channels of each level. EfficientNetLite: of the decoder's four levels.
    SegResNet: its first is `init_filters`, its length the number of levels. FlexibleUNet: channels of
    the five levels of the decoder."""
    encoder: str = option(
        "efficientnet-lite0",
        "EfficientNetLite: efficientnet-lite0, efficientnet-lite1 or efficientnet-lite2",
        choices=ENCODERS,
    )
    residual_units: int = option(
        2,
        "UNet: convolutions in the residual unit of each level",
        minimum=0,
        maximum=16,
        scope="python",
    )
    backbone: str = option(
        "efficientnet-b0", "FlexibleUNet: its encoder, from fresh weights", scope="python"
    )
    sampler: str = option(
        "knothe-rosenblatt",
        "kernel (Jin et al. 2022), separable, knothe-rosenblatt, or uniform, the baseline",
        choices=SAMPLERS,
    )
    kernel_width: float = option(
        0.1, "standard deviation of the kernel, fraction of the region's side", above=0, maximum=1
    )
    """Of `kernel`."""
    smoothing: float = option(
        0.03, "blur of the density, fraction of the region's side", minimum=0, maximum=1
    )
    """Standard deviation, of `separable` and `knothe-rosenblatt`."""
    max_zoom: float | None = option(
        None,
        "largest factor by which samples may lie closer than in the uniform grid",
        minimum=1,
        maximum=1000,
    )
    warp_strength: float = option(
        1.0,
        "how far samples go from the uniform grid towards where the density puts them",
        minimum=0,
        maximum=1,
        scope="python",
    )
    """What a training with `warp_gate` found to gain; 0 is the uniform grid."""
    density_network: str = option("context", "context or local", choices=DENSITY_NETWORKS)
    """`context`: each cell sees the whole region; `local`: that of Jin et al. 2022, which sees 7 x 7
    pixels of the view."""
    density_channels: tuple[int, ...] = option(
        (16, 32, 64, 64, 64), "`context`: channels of its levels", **SIZE, scope="python"
    )
    density_floor: float = option(
        0.1, "lowest density where the mean is 1; bounds the zoom", above=0, maximum=1
    )
    view_level: int = option(4, "pyramid level of the coarse view", minimum=0, maximum=12)
    view_margin: int = option(
        0,
        "working pixels that the coarse view shows beyond each edge of a region",
        minimum=0,
        maximum=2**16,
    )
    texture: bool = option(
        False,
        "whether samples carry, beside their colour, how much the pixels differ that they stand for",
    )
    texture_level: int = option(1, "pyramid level of these pixels", minimum=0, maximum=12)
    """About 1 um per pixel shows nuclei. The level is read wherever there is tissue."""
    ladder: tuple[int, ...] = option(
        (), "lattices that the model is trained for, increasing, such as [64, 128, 256]", **SIZE
    )
    """Samples along a region's longer side. The network predicts the error on each; empty: it
    knows one lattice and predicts no errors."""
    shared_features: bool = option(
        True, "whether the segmentation network sees the density network's features"
    )
    """In addition to the colours of each sample, together with the local distance between samples."""
    mean: tuple[float, ...] = (0.8, 0.7, 0.8)
    """Mean of red, green and blue in [0, 1] over the training regions."""
    std: tuple[float, ...] = (0.15, 0.2, 0.15)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_colours(mean=self.mean, std=self.std)
        if self.view_margin % self.region_multiple:
            raise UsageError(
                f"view_margin is {self.view_margin}, expected a multiple of {self.region_multiple}"
            )
        if self.texture and self.texture_level > self.view_level - OCTAVES:
            raise UsageError(
                f"texture_level is {self.texture_level}, expected {OCTAVES} less than `view_level`,"
                f" which is {self.view_level}, or finer; `texture: false` needs no such level"
            )
        if len(self.channels) == 1:
            raise UsageError(f"channels is {list(self.channels)}, expected two values or more")
        if any(a >= b for a, b in pairwise(self.ladder)):
            raise UsageError(
                f"ladder is {list(self.ladder)}, expected increasing numbers of samples"
            )

    @property
    def lattice_multiple(self) -> int:
        """What the sides of a lattice must be multiples of, so that the network can halve it."""
        match self.architecture:
            case "FlexibleUNet" | "EfficientNetLite":
                return 32
            case "SpaceToDepthUNet":
                return int(2 ** len(self.level_channels))
            case _:
                return int(2 ** (len(self.level_channels) - 1))

    @property
    def level_channels(self) -> tuple[int, ...]:
        """`channels`, or those of the architecture where they are empty."""
        return self.channels or CHANNELS.get(self.architecture, UNET_CHANNELS)

    @property
    def warps(self) -> bool:
        """Whether the density moves the samples."""
        return self.sampler != "uniform"

    @property
    def uses_view(self) -> bool:
        """Whether anything depends on the coarse view; a plain uniform grid needs none."""
        return self.warps or self.shared_features or bool(self.ladder)

    @property
    def region_multiple(self) -> int:
        """What the sides of a region must be multiples of, so that the view can be halved."""
        return int(2 ** (self.view_level + 1))

    @property
    def cell_margin(self) -> int:
        """Cells of the density map in the view's margin, on each side."""
        return self.view_margin // self.region_multiple


def levels_around(size: Size, lattice: Size, *, finer: int = 2) -> range:
    """Return the pyramid levels that the samples of a region are read from.

    They reach from a quarter of the uniform grid's pitch to twice that pitch, as far as the region
    begins and ends on whole pixels of them; the floor of the density keeps nearly every sample
    within.

    Parameters
    ----------
    size
        Size of the region in working pixels.
    lattice
        Number of samples across and down.
    finer
        Number of levels finer than that of the uniform grid.
    """
    pitch = math.sqrt(size.area / lattice.area)
    nearest = max(0, math.floor(math.log2(pitch) + 1e-9))
    sides = size.width | size.height
    coarsest = (sides & -sides).bit_length() - 1
    return range(max(0, min(nearest - finer, coarsest)), min(nearest + 1, coarsest) + 1)


def levels_of(size: Size, lattices: Sequence[Size], *, finer: int = 2) -> range:
    """Return the pyramid levels that the samples of any of these lattices are read from."""
    around = [levels_around(size, lattice, finer=finer) for lattice in lattices]
    return range(min(levels.start for levels in around), max(levels.stop for levels in around))


def texture_count(spec: NetworkSpec, levels: range) -> int:
    """Return how many levels of texture serve samples that read colours from some levels."""
    return max(levels.stop - spec.texture_level - OCTAVES, 1)


def lattices_on(ladder: Sequence[int], size: Size) -> list[Size]:
    """Return the lattice of each rung of a ladder for regions of a size."""
    longer = max(size.width, size.height)
    return [
        Size(round(side * size.width / longer), round(side * size.height / longer))
        for side in ladder
    ]


def check_sizes(regions: Sequence[Region], spec: NetworkSpec) -> None:
    """Check that the network can halve every region and lattice as many times as it needs to.

    Raises
    ------
    UsageError
        If a side is not a multiple of what the network needs.
    """
    for region in regions:
        _check_size(region, "size", region.size, "region_size", spec.region_multiple)
        _check_size(region, "lattice", region.lattice, "lattice", spec.lattice_multiple)
    for region in regions[:1]:
        for lattice in lattices_on(spec.ladder, region.size):
            _check_size(region, "ladder's lattice", lattice, "ladder", spec.lattice_multiple)


def check_ladder(spec: NetworkSpec, model: str) -> None:
    """Check that a model can distribute a budget.

    Raises
    ------
    UsageError
        If it knows one lattice only.
    """
    if not spec.ladder:
        raise UsageError(
            f"the model '{model}' has only one lattice and cannot distribute a budget; set `plan:"
            " budget` to uniform, or train with a `ladder`"
        )


def _check_size(region: Region, kind: str, size: Size, key: str, multiple: int) -> None:
    if size.width % multiple or size.height % multiple:
        raise UsageError(
            f"region {region.index} has the {kind} {size.width} x {size.height}, but the"
            f" model needs multiples of {multiple}; change `{key}` in config.yaml"
        )


def _check_colours(mean: Sequence[float], std: Sequence[float]) -> None:
    """Raise a `UsageError` unless each is three numbers that colours from 0 to 1 can have."""
    for name, colour, least in (("mean", mean, 0.0), ("std", std, MIN_STD)):
        if len(colour) != 3 or not all(math.isfinite(part) for part in colour):
            raise UsageError(f"{name} is not three numbers, one for each colour")
        if not all(least <= part <= 1 for part in colour):
            raise UsageError(f"{name} is {list(colour)}, expected numbers from {least:g} to 1")
