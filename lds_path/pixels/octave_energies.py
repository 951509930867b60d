"""The loop over pixels behind `pixels.texture`, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.compiled import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


@compiled
def _halve(block: NDArray[np.float32], side: int) -> np.float32:
    """Halve a block in place to a number of pixels a side, and return the variance that it loses."""
    total = np.float32(0)
    for y in range(side):
        for x in range(side):
            a, b = block[2 * y, 2 * x], block[2 * y, 2 * x + 1]
            c, d = block[2 * y + 1, 2 * x], block[2 * y + 1, 2 * x + 1]
            mean = (a + b + c + d) * np.float32(0.25)
            total += (a - mean) ** 2 + (b - mean) ** 2
            total += (c - mean) ** 2 + (d - mean) ** 2
            block[y, x] = mean
    return total / np.float32(4 * side * side)


@compiled
def octave_energies(
    planes: NDArray[np.uint8], density: NDArray[np.float32], octaves: int
) -> NDArray[np.float32]:
    """Return the mean variance among four neighbours in each octave, (3 octaves, H / 2^n, W / 2^n).

    Parameters
    ----------
    planes
        RGB, (3, H, W).
    density
        Optical density of each value of a pixel, (256,).
    octaves
        Their number, n.
    """
    edge = 2**octaves
    height, width = planes.shape[1] // edge, planes.shape[2] // edge
    energies = np.empty((3 * octaves, height, width), np.float32)
    block = np.empty((edge, edge), np.float32)
    for colour in range(3):
        for row in range(height):
            for column in range(width):
                for y in range(edge):
                    for x in range(edge):
                        value = planes[colour, row * edge + y, column * edge + x]
                        block[y, x] = density[value]
                side = edge
                for octave in range(octaves):
                    side //= 2
                    energies[3 * octave + colour, row, column] = _halve(block, side)
    return energies
