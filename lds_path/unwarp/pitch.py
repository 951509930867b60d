"""How far apart the samples of a lattice lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sample_pitch(
    positions: NDArray[np.float32], width: float, height: float
) -> NDArray[np.float32]:
    """Return the distance between neighbouring samples at each sample of a grid.

    The side of the square whose area is that of the parallelogram between the sample's
    neighbours: the root of the Jacobian of the map from lattice to region.

    Convention: positions are (x, y) in [-1, 1], the outer pixel edges at -1 and 1.

    Parameters
    ----------
    positions
        Sampling grid, (h, w, 2), h and w >= 2.
    width, height
        Extent of the region, in the unit of the result.

    Returns
    -------
    NDArray
        Pitch, (h, w), >= 0.
    """
    x, y = positions[..., 0].astype(np.float64), positions[..., 1].astype(np.float64)
    x_down, x_right = np.gradient(x)
    y_down, y_right = np.gradient(y)
    area = np.abs(x_right * y_down - y_right * x_down) * (width * height / 4)
    pitch: NDArray[np.float32] = np.sqrt(area).astype(np.float32)
    return pitch
