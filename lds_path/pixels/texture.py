"""Texture: how much the optical density of neighbouring pixels differs, in three octaves.

In each octave and colour it is the variance of density among four neighbours: of pixels, of the means of
four, and of the means of those. Such energies add up over any area, as colours do.

Convention: nine channels, the octaves from fine to coarse, in each red, green and blue; one value for
8 x 8 pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.pixels.octaves import OCTAVES

if TYPE_CHECKING:
    from numpy.typing import NDArray

FLOOR = 2.0**-10
"""Energy of a smooth area: the grain of JPEG is less."""
_DENSITY = -np.log((np.arange(256, dtype=np.float32) + 1) / 256)
_LOWEST, _HIGHEST = -10.0, 3.0
"""Logarithms of energies, to base 2: of the floor, and of black beside white."""
_STEP = (_HIGHEST - _LOWEST) / 255


def measure_texture(planes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the coded energies of pixels, (9, H / 8, W / 8).

    Parameters
    ----------
    planes
        RGB, (3, H, W); the sides are multiples of 8.
    """
    means = _DENSITY[planes]
    octaves: list[NDArray[np.float32]] = []
    for _ in range(OCTAVES):
        squares, means = _mean_of_four(means**2), _mean_of_four(means)
        octaves = [_mean_of_four(energy) for energy in octaves]
        octaves.append(squares - means**2)
    energies = np.maximum(np.concatenate(octaves), 0) + np.float32(FLOOR)
    codes = (np.log2(energies) - _LOWEST) / _STEP
    return np.clip(np.rint(codes), 0, 255).astype(np.uint8)


def energies_of_codes() -> NDArray[np.float32]:
    """Return the energy that each code stands for, (256,); that of 0 is 0."""
    energies = np.exp2(np.arange(256, dtype=np.float32) * np.float32(_STEP) + _LOWEST)
    above: NDArray[np.float32] = np.maximum(energies - np.float32(FLOOR), 0)
    return above


def _mean_of_four(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the means of squares of two by two, (C, H / 2, W / 2)."""
    rows = planes[:, ::2] + planes[:, 1::2]
    means: NDArray[np.float32] = (rows[..., ::2] + rows[..., 1::2]) * np.float32(0.25)
    return means
