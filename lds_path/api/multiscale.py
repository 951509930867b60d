"""An image with levels, each a dask array."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lds_path.api.blocks import lazy_level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dask.array import Array
    from numpy.typing import DTypeLike, NDArray

    from lds_path.api.blocks import Source
    from lds_path.geometry import Size

COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, repr=False)
class MultiscaleImage:
    """An image of a slide with its levels, from the finest.

    All images of a slide start at the same corner, that of the slide's bounds.

    Convention: pixels are areas: pixel i of an axis covers [i, i + 1], its centre is i + 0.5.
    """

    name: str
    """Such as `labels`."""
    axes: tuple[str, ...]
    """Of every level: `("y", "x")` or `("c", "y", "x")`."""
    levels: tuple[Array, ...]
    """Nothing is read before a computation; each block opens its file by its path."""
    mpp: float
    """Microns per pixel of level 0."""
    downsamples: tuple[float, ...]
    """Pixels of level 0 per pixel of each level, along an axis."""
    channels: tuple[str, ...] = ()
    """What the axis `c` holds, such as the names of classes."""

    @property
    def mpps(self) -> tuple[float, ...]:
        """Microns per pixel of each level."""
        return tuple(self.mpp * downsample for downsample in self.downsamples)

    @property
    def affines(self) -> tuple[NDArray[np.float64], ...]:
        """Matrix of each level, (3, 3), that maps pixels (x, y, 1) to microns from the corner."""
        return tuple(np.diag([mpp, mpp, 1.0]) for mpp in self.mpps)

    def level_near(self, mpp: float) -> int:
        """Return the level whose pixels are nearest to a size, by their ratio."""
        distances = [abs(np.log(own / mpp)) for own in self.mpps]
        return int(np.argmin(distances))

    def __repr__(self) -> str:
        shapes = ", ".join("x".join(map(str, level.shape)) for level in self.levels)
        channels = f" of {', '.join(self.channels)}" if self.channels else ""
        axes = "".join(self.axes)
        kind = self.levels[0].dtype
        return f"<{self.name}{channels}: {kind}, {axes} {shapes}, {self.mpp:.4g} um per pixel>"


def make_image(
    name: str,
    source: Source,
    sizes: Sequence[Size],
    *,
    mpp: float,
    dtype: DTypeLike,
    block: Size,
    channels: Sequence[str] = (),
    downsamples: Sequence[float] = (),
) -> MultiscaleImage:
    """Return an image whose blocks are read from a source.

    Parameters
    ----------
    name, mpp, channels
        See `MultiscaleImage`.
    source
        What each block opens.
    sizes
        Of the levels.
    dtype
        Of the pixels.
    block
        Size of a block.
    downsamples
        See `MultiscaleImage`; powers of two when not given.
    """
    outer = (len(channels),) if channels else ()
    levels = [
        lazy_level(
            source,
            number,
            (*outer, size.height, size.width),
            dtype,
            block=(block.height, block.width),
        )
        for number, size in enumerate(sizes)
    ]
    return MultiscaleImage(
        name=name,
        axes=(*("c" for _ in outer), "y", "x"),
        levels=tuple(levels),
        mpp=mpp,
        downsamples=tuple(downsamples) or tuple(2.0**number for number in range(len(levels))),
        channels=tuple(channels),
    )
