"""How sharp a crop of a slide is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from skimage.measure import blur_effect

if TYPE_CHECKING:
    from numpy.typing import NDArray

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
"""Weights of red, green and blue in the grey value (ITU-R BT.601)."""


def blur(crop: NDArray[np.uint8]) -> float:
    """Return how blurred a crop is: 0 is sharp, 1 completely blurred.

    The measure of Crete et al. 2007: how little the picture changes when it is blurred again.
    It does not depend on the contrast, so that a pale stain does not count as blur.

    Parameters
    ----------
    crop
        RGB, (H, W, 3).
    """
    return float(blur_effect((crop @ LUMA) / 255))
