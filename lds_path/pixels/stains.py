"""Which stains a slide has and how strong they are, from optical density of tissue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

_MIN_DENSITY = 0.065
"""Mean optical density of a stained pixel: 0.15 in natural logarithms (Macenko et al. 2009)."""
_ENDS = (1.0, 99.0)
"""Percentiles of the angles that are taken as the pure stains (Macenko et al. 2009)."""
_STRONG = 99.0
"""Percentile of a stain's amount that counts as its strength (Macenko et al. 2009)."""
_MIN_PIXELS = 100
_GLASS_DENSITY = 0.02
"""Of bright glass, relative to white."""

WINDOW_MPP = 0.5
WINDOW_SIDE = 256
WINDOW_STEP = 4
"""Stains are measured at every n-th pixel of a window along both axes."""


@dataclass(frozen=True)
class Stains:
    """The two stains of a slide."""

    first_vector: tuple[float, float, float]
    """Optical density of red, green and blue, of length 1: the stain that absorbs more red, as
    hematoxylin does beside eosin."""
    second_vector: tuple[float, float, float]
    first: float
    """Optical density along its vector where it is strong."""
    second: float


def find_stains(density: NDArray[np.float32]) -> Stains | None:
    """Return the stains by the method of Macenko et al. 2009; None where too little is stained.

    Parameters
    ----------
    density
        Optical density (logarithm to base 10) of pixels of tissue, (N, 3).
    """
    stained = density[density.mean(axis=1) > _MIN_DENSITY]
    if len(stained) < _MIN_PIXELS:
        return None
    plane = np.linalg.eigh(np.cov(stained.T.astype(np.float64)))[1][:, :0:-1]  # (3, 2)
    plane *= np.where(plane.sum(axis=0) < 0, -1, 1)
    x, y = (stained @ plane).T
    angles = np.percentile(np.arctan2(y, x), _ENDS)
    vectors = plane @ np.stack([np.cos(angles), np.sin(angles)])  # (3, 2)
    vectors = np.abs(vectors / np.linalg.norm(vectors, axis=0))
    vectors = vectors[:, np.argsort(-vectors[0])]
    amounts = np.linalg.lstsq(vectors, stained.T, rcond=None)[0]  # (2, N)
    strengths = np.percentile(amounts, _STRONG, axis=1)
    first, second = ((float(r), float(g), float(b)) for r, g, b in vectors.T.round(3))
    return Stains(first, second, float(strengths[0]), float(strengths[1]))


def staining(density: NDArray[np.float32]) -> float | None:
    """Return the median over pixels of the mean optical density; None without pixels.

    Parameters
    ----------
    density
        Of pixels of tissue, (N, 3).
    """
    return float(np.median(density.mean(axis=1))) if len(density) else None


def window_colours(windows: Iterable[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return mean and deviation of the optical density of red, green and blue, (N, 6).

    The density is relative to white, not to the glass: a network sees brightness, too. Windows
    with less than a quarter of stained pixels are left out.

    Parameters
    ----------
    windows
        RGB, each (H, W, 3), at about `WINDOW_MPP`.
    """
    rows = []
    for window in windows:
        pixels = window[::WINDOW_STEP, ::WINDOW_STEP].reshape(-1, 3)
        density = -np.log10(np.maximum(pixels, 1) / np.float32(255))
        stained = density[density.mean(axis=1) > _MIN_DENSITY + _GLASS_DENSITY]
        if len(stained) * 4 >= len(density):
            rows.append(np.concatenate([stained.mean(axis=0), stained.std(axis=0)]))
    return np.array(rows, np.float32).reshape(-1, 6)
