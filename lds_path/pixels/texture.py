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
    # Late: numba takes half a second to import.
    from lds_path.pixels.octave_energies import octave_energies

    energies = octave_energies(np.ascontiguousarray(planes), _DENSITY, OCTAVES)
    scaled = (np.log2(energies + np.float32(FLOOR)) - _LOWEST) / _STEP
    codes: NDArray[np.uint8] = np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
    return codes


def energies_of_codes() -> NDArray[np.float32]:
    """Return the energy that each code stands for, (256,); that of 0 is 0."""
    energies = np.exp2(np.arange(256, dtype=np.float32) * np.float32(_STEP) + _LOWEST)
    above: NDArray[np.float32] = np.maximum(energies - np.float32(FLOOR), 0)
    return above
