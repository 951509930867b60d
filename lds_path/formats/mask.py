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
        rows = self._pixels[y0[0] : y1[-1] + 1]
        if rows[:, x0[0] : x1[-1] + 1].all():
            return np.ones((size.height, size.width), np.bool_)
        if not rows[:, x0[0] : x1[-1] + 1].any():
            return np.zeros((size.height, size.width), np.bool_)
        columns = np.where(rows[:, x0], 1 - x_weight, np.float32(0))  # (mask rows, W)
        columns += np.where(rows[:, x1], x_weight, np.float32(0))
        inside: NDArray[np.bool_] = _between_rows(columns, y0 - y0[0], y1 - y0[0], y_weight)
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
def _between_rows(
    rows: NDArray[np.float32],
    upper: NDArray[np.intp],
    lower: NDArray[np.intp],
    weight: NDArray[np.float32],
) -> NDArray[np.bool_]:
    """Return where values between two rows, with the weight of the lower row, reach one half."""
    inside = np.empty((upper.size, rows.shape[1]), np.bool_)
    for k in range(upper.size):
        above, below, part = rows[upper[k]], rows[lower[k]], weight[k]
        for column in range(rows.shape[1]):
            value = above[column] + (below[column] - above[column]) * part
            inside[k, column] = value >= 0.5
    return inside


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
