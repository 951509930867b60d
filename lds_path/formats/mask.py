"""The tissue mask of a slide, read at any window and scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lds_path.compiled import compiled
from lds_path.errors import named_damage
from lds_path.formats.results import DetectResults

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.geometry import Size
    from lds_path.provenance.stage_folder import StageFolder

MASK_NAME = "tissue.png"


class Mask:
    """A coarse mask, interpolated bilinearly between the centres of its pixels.

    Convention: mask pixel i covers working pixels [i * downsample, (i + 1) * downsample].
    """

    def __init__(self, pixels: NDArray[np.bool_], downsample: float) -> None:
        self._pixels = pixels.astype(np.bool_, copy=False)
        self._downsample = downsample

    def read(self, left: float, top: float, size: Size, *, scale: float = 1.0) -> NDArray[np.bool_]:
        """Return where the mask reaches one half at the pixel centres of a window, (H, W).

        Parameters
        ----------
        left, top
            Corner of the window in working pixels; beyond the mask its edge is repeated.
        size
            Size of the window.
        scale
            Working pixels per window pixel.
        """
        y0, y1, y_weight = self._neighbours(top, size.height, scale, self._pixels.shape[0])
        x0, x1, x_weight = self._neighbours(left, size.width, scale, self._pixels.shape[1])
        window = self._pixels[y0[0] : y1[-1] + 1, x0[0] : x1[-1] + 1]
        if window.all():
            return np.ones((size.height, size.width), np.bool_)
        if not window.any():
            return np.zeros((size.height, size.width), np.bool_)
        inside: NDArray[np.bool_] = _interpolate(self._pixels, y0, y1, y_weight, x0, x1, x_weight)
        return inside

    def _neighbours(
        self, start: float, count: int, scale: float, length: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
        """Return the two mask pixels of each position on an axis, and the weight of the second."""
        position = (start + (np.arange(count) + 0.5) * scale) / self._downsample - 0.5
        position = np.clip(position, 0, length - 1)
        first = np.floor(position).astype(np.intp)
        return first, np.minimum(first + 1, length - 1), (position - first).astype(np.float32)


@compiled
def _interpolate(
    pixels: NDArray[np.bool_],
    upper: NDArray[np.intp],
    lower: NDArray[np.intp],
    y_weight: NDArray[np.float32],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    x_weight: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Return where values between four pixels reach one half; weights are of `lower` and `right`."""
    inside = np.empty((upper.size, left.size), np.bool_)
    lines = np.empty((2, left.size), np.float32)  # of an even and of an odd row of pixels
    held = np.array([-1, -1])
    for k in range(upper.size):
        for row in (upper[k], lower[k]):
            if held[row % 2] != row:
                _interpolate_row(pixels[row], left, right, x_weight, lines[row % 2])
                held[row % 2] = row
        above, below, part = lines[upper[k] % 2], lines[lower[k] % 2], y_weight[k]
        for column in range(left.size):
            value = above[column] + (below[column] - above[column]) * part
            inside[k, column] = value >= 0.5
    return inside


@compiled
def _interpolate_row(
    pixels: NDArray[np.bool_],
    left: NDArray[np.intp],
    right: NDArray[np.intp],
    weight: NDArray[np.float32],
    line: NDArray[np.float32],
) -> None:
    for column in range(left.size):
        second = weight[column] if pixels[right[column]] else np.float32(0)
        first = np.float32(1) - weight[column] if pixels[left[column]] else np.float32(0)
        line[column] = first + second


def open_mask(detect: StageFolder) -> Mask:
    """Return the tissue mask in the folder of the detect stage.

    Raises
    ------
    StageInputError
        If the mask is missing or damaged, or the manifest lacks its scale.
    """
    return Mask(read_mask(detect), detect.read(DetectResults).mask_downsample)


def read_mask(detect: StageFolder) -> NDArray[np.bool_]:
    """Return the pixels of the tissue mask, (H, W).

    Raises
    ------
    StageInputError
        If the mask is missing or damaged.
    """
    path = detect.file(MASK_NAME)
    with named_damage(path, "detect"), Image.open(path) as image:
        mask: NDArray[np.bool_] = np.asarray(image) > 0
        return mask
