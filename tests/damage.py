"""Spoils pictures of tissue as a laboratory and a scanner do: one function a flaw.

Pictures are RGB, (H, W, 3), uint8, at 0.5 um per pixel. What lies on the light's way multiplies the
transmittance (Beer and Lambert), so flaws are factors on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from lds_path.pixels.white_reference import white_reference

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

BLUE_INK = 10.0 ** -np.array([1.4, 0.6, 0.12])


def blurred(picture: Picture, sigma: float = 3.0) -> Picture:
    """Out of focus."""
    soft = ndimage.gaussian_filter(picture.astype(np.float32), (sigma, sigma, 0))
    return np.rint(soft).astype(np.uint8)


def stained(picture: Picture, strength: float, glass: NDArray[np.float32] | None = None) -> Picture:
    """Pale below 1, over-stained above; give the glass of a picture that shows none."""
    glass = white_reference(picture[::4, ::4]) if glass is None else glass
    light = np.minimum(picture.astype(np.float32) / glass, 1)
    return _picture(light**strength, glass)


def folded(picture: Picture) -> Picture:
    """A winding fold, 60 um wide, of three layers."""
    light, glass = _transmittance(picture)
    rows, columns = _axes(picture)
    height, width = picture.shape[:2]
    fold = np.abs(columns - width / 2 - 0.12 * width * np.sin(3 * rows / height)) < 60
    below = np.roll(light, (37, -60), (0, 1)) * np.roll(light, (74, -120), (0, 1))
    return _picture(light * np.where(fold[..., None], below, 1), glass)


def marked(picture: Picture) -> Picture:
    """A stroke of a blue pen, 150 um wide."""
    light, glass = _transmittance(picture)
    rows, columns = _axes(picture)
    height, width = picture.shape[:2]
    stroke = np.abs(rows - height / 2 - 0.1 * height * np.sin(5 * columns / width)) < 150
    return _picture(light * np.where(stroke[..., None], BLUE_INK, 1), glass)


def bubbled(picture: Picture) -> Picture:
    """An air bubble: a dark rim, and pale and soft inside."""
    light, glass = _transmittance(picture)
    rows, columns = _axes(picture)
    height, width = picture.shape[:2]
    radius = 0.22 * min(height, width)
    distance = np.hypot(rows - 0.45 * height, columns - 0.5 * width)
    soft = 0.5 + 0.5 * ndimage.gaussian_filter(light, (6, 6, 0))
    light = np.where((distance < radius)[..., None], soft, light)
    return _picture(light * np.where(abs(distance - radius) < 16, 0.15, 1)[..., None], glass)


def edged(picture: Picture) -> Picture:
    """The edge of a cover slip, from top to bottom."""
    light, glass = _transmittance(picture)
    rows, columns = _axes(picture)
    line = np.abs(columns - 0.3 * picture.shape[1] - 0.05 * rows) < 12
    return _picture(light * np.where(line, 0.25, 1)[..., None], glass)


def soiled(picture: Picture) -> Picture:
    """Black specks of 25 um."""
    light, glass = _transmittance(picture)
    random = np.random.default_rng(0)
    height, width = picture.shape[:2]
    for _ in range(25):
        top, left = random.integers(0, height - 50), random.integers(0, width - 50)
        light[top : top + 50, left : left + 50] *= 0.03
    return _picture(light, glass)


def _axes(picture: Picture) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    height, width = picture.shape[:2]
    return np.arange(height)[:, None], np.arange(width)[None]


def _transmittance(picture: Picture) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    glass = white_reference(picture[::4, ::4])
    return np.minimum(picture.astype(np.float32) / glass, 1), glass


def _picture(light: NDArray[np.floating], glass: NDArray[np.float32]) -> Picture:
    return np.clip(np.rint(light * glass), 0, 255).astype(np.uint8)
