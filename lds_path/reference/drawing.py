"""Areas that people draw, rasterised by the same rule in all stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import rasterio
import rasterio.features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from lds_path.geometry import Size


def rasterise(
    areas: Sequence[tuple[BaseGeometry, int]],
    size: Size,
    *,
    corner: tuple[float, float] = (0.0, 0.0),
    downsample: float = 1.0,
    elsewhere: int = 0,
) -> NDArray[np.uint8]:
    """Return a window of the label image that areas describe.

    Convention: (x, y); a pixel belongs to an area when its centre does. A centre on the edge
    between two areas belongs to one of them.

    Parameters
    ----------
    areas
        Each with its value; where they overlap the last one is used.
    size
        Extent of the window in pixels.
    corner
        Of the window, in the units of the areas.
    downsample
        Units of the areas per pixel.
    elsewhere
        Value of pixels that no area covers.

    Returns
    -------
    NDArray
        Labels, (height, width).
    """
    labels = np.full((size.height, size.width), elsewhere, np.uint8)
    drawn = [(area, value) for area, value in areas if not area.is_empty]
    if drawn:
        x, y = corner
        transform = rasterio.Affine(downsample, 0, x, 0, downsample, y)
        rasterio.features.rasterize(drawn, out=labels, transform=transform)
    return labels
