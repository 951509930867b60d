"""What builds a network, and which regions and lattices it takes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from lds_path.errors import UsageError
from lds_path.geometry import Size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lds_path.geometry import Region

ARCHITECTURES = ("UNet", "SegResNet", "FlexibleUNet")
DENSITY_NETWORKS = ("context", "local")
SAMPLERS = ("uniform", "kernel", "separable", "knothe-rosenblatt")
RANGES = {
    "class_count": (1, 254),
    "residual_units": (0, 16),
    "view_level": (0, 12),
    "channels": (1, 8192),
    "density_channels": (1, 8192),
    "ladder": (1, 8192),
    "view_margin": (0, 2**16),
}
"""Least and most of each size; beyond them a stranger's description only asks for memory."""
MOST_NUMBERS = 12
"""Of a list of sizes."""


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
    view_margin: int = 0
    """Working pixels beyond each edge of a region that the coarse view shows too."""
    ladder: tuple[int, ...] = ()
    """Lattices that regions are segmented on, rising: samples along a region's longer side. The
    network foretells the error of each; empty: it knows one lattice and foretells nothing."""
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
        _check_whole(class_count=self.class_count, residual_units=self.residual_units)
        _check_whole(view_level=self.view_level, view_margin=self.view_margin)
        _check_lists(
            channels=self.channels, density_channels=self.density_channels, ladder=self.ladder
        )
        _check_colours(mean=self.mean, std=self.std)
        if not 0 < self.density_floor <= 1:
            raise UsageError(
                f"density_floor is {self.density_floor}, expected more than 0, up to 1"
            )
        if not self.smoothing >= 0:
            raise UsageError(f"smoothing is {self.smoothing}, expected 0 or more")
        if self.max_zoom is not None and not self.max_zoom >= 1:
            raise UsageError(f"max_zoom is {self.max_zoom}, expected 1 or more")
        if self.view_margin % self.region_multiple:
            raise UsageError(
                f"view_margin is {self.view_margin}, expected a multiple of {self.region_multiple}"
            )
        if any(a >= b for a, b in pairwise(self.ladder)):
            raise UsageError(f"ladder is {list(self.ladder)}, expected rising numbers of samples")

    @property
    def lattice_multiple(self) -> int:
        """What the sides of a lattice must be multiples of, so that the network can halve it."""
        return 32 if self.architecture == "FlexibleUNet" else 2 ** (len(self.channels) - 1)

    @property
    def region_multiple(self) -> int:
        """What the sides of a region must be multiples of, so that the view can be halved."""
        return int(2 ** (self.view_level + 1))

    @property
    def cell_margin(self) -> int:
        """Cells of the density map in the view's margin, on each side."""
        return self.view_margin // self.region_multiple


def levels_around(size: Size, lattice: Size) -> range:
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
    """
    pitch = math.sqrt(size.area / lattice.area)
    nearest = max(0, math.floor(math.log2(pitch) + 1e-9))
    sides = size.width | size.height
    coarsest = (sides & -sides).bit_length() - 1
    return range(max(0, min(nearest - 2, coarsest)), min(nearest + 1, coarsest) + 1)


def levels_of(size: Size, lattices: Sequence[Size]) -> range:
    """Return the pyramid levels that the samples of any of these lattices are read from."""
    around = [levels_around(size, lattice) for lattice in lattices]
    return range(min(one.start for one in around), max(one.stop for one in around))


def lattices_on(ladder: Sequence[int], size: Size) -> list[Size]:
    """Return the lattice of each rung of a ladder for regions of a size."""
    longer = max(size.width, size.height)
    return [
        Size(round(side * size.width / longer), round(side * size.height / longer))
        for side in ladder
    ]


def check_sizes(regions: Sequence[Region], spec: NetworkSpec) -> None:
    """Check that the network can halve every region and lattice as often as it must.

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


def _check_size(region: Region, kind: str, size: Size, key: str, multiple: int) -> None:
    if size.width % multiple or size.height % multiple:
        raise UsageError(
            f"region {region.index} has the {kind} {size.width} x {size.height}, but the"
            f" model needs multiples of {multiple}; change `{key}` in config.yaml"
        )


def _check_whole(**sizes: int) -> None:
    """Raise a `UsageError` unless each is a whole number in its range."""
    for name, value in sizes.items():
        least, most = RANGES[name]
        if type(value) is not int or not least <= value <= most:
            raise UsageError(
                f"{name} is {str(value)[:20]}, expected a whole number from {least} to {most}"
            )


def _check_lists(**lists: Sequence[int]) -> None:
    """Raise a `UsageError` unless each is a short list of whole numbers in its range."""
    for name, numbers in lists.items():
        if not isinstance(numbers, tuple | list) or len(numbers) > MOST_NUMBERS:
            raise UsageError(f"{name} is no list of at most {MOST_NUMBERS} whole numbers")
        for count in numbers:
            _check_whole(**{name: count})


def _check_colours(**colours: Sequence[float]) -> None:
    """Raise a `UsageError` unless each is three numbers."""
    for name, colour in colours.items():
        if len(colour) != 3 or not all(math.isfinite(part) for part in colour):
            raise UsageError(f"{name} is not three numbers, one for each colour")
