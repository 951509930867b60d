"""The regions of a slide put together: labels and confidence, block by block."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numba import njit

from lds_path.geometry import Frame, Size
from lds_path.unwarp import Blend, blend_ramp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from lds_path.geometry import Region
    from lds_path.mesh import Mesh

CONFIDENCE_MPP = 8.0
"""The confidence image has about this resolution."""
MAX_STEP = 512
SAME_MPP = 1.05
"""An asked resolution below this many working mpp keeps the working pixels."""
_MESHES = 16


class Mask(Protocol):
    """Where tissue lies."""

    def read(self, left: float, top: float, size: Size, *, scale: float) -> NDArray[np.bool_]:
        """Return the mask at the pixel centres of a window, (H, W)."""
        ...


@dataclass(frozen=True)
class Canvas:
    """The pixels of the label image."""

    size: Size
    frame: Frame
    """Of label pixels, from the same corner as the working pixels."""
    scale: float
    """Working pixels per label pixel, >= 1."""

    @property
    def confidence_step(self) -> int:
        """Label pixels per confidence pixel, a power of two up to `MAX_STEP`."""
        steps = round(math.log2(CONFIDENCE_MPP / self.frame.mpp))
        return int(2 ** min(max(steps, 0), int(math.log2(MAX_STEP))))


def canvas_of(tile: Mapping[str, Any], mpp: float | None) -> Canvas:
    """Return the pixels of the label image.

    Parameters
    ----------
    tile
        Results of the tile stage.
    mpp
        Microns per pixel to write; the working one when not given or finer.
    """
    scale = 1.0 if mpp is None or mpp < SAME_MPP * tile["mpp"] else mpp / tile["mpp"]
    frame = Frame(tile["mpp"] * scale, tile["downsample"] * scale, tile["left_l0"], tile["top_l0"])
    # A last column of which less than a thousandth lies on the slide is rounding.
    width, height = (math.ceil(tile[side] / scale - 1e-3) for side in ("width", "height"))
    return Canvas(Size(width, height), frame, scale)


@dataclass(frozen=True)
class Painted:
    """One block of the result, and what is counted in it."""

    labels: NDArray[np.uint8]
    confidence: NDArray[np.uint8]
    pixels: NDArray[np.int64]
    """Number of pixels of each value, (256,)."""
    confidence_sum: NDArray[np.float64]
    """Sum of the winning scores of each value, (256,)."""


class Mosaic:
    """The regions of a slide, painted block by block, from any thread.

    Parameters
    ----------
    canvas
        Pixels to paint.
    regions
        In the order in which they are blended.
    read_mesh
        Returns the mesh of the region with an index.
    mask
        Where tissue lies, in working pixels.
    values
        Label of each class, in the order of the scores.
    overlap
        Width over which the weight of a region rises, in working pixels.
    """

    def __init__(
        self,
        canvas: Canvas,
        regions: Sequence[Region],
        read_mesh: Callable[[int], Mesh],
        mask: Mask,
        *,
        values: Sequence[int],
        overlap: int,
    ) -> None:
        self._canvas, self._regions, self._mask, self._overlap = canvas, regions, mask, overlap
        self._values = np.array(values, np.uint8)
        self._boxes = np.array([_box(region) for region in regions])
        # Blocks side by side share regions; rows of blocks read them again.
        self._read_mesh = lru_cache(maxsize=_MESHES)(read_mesh)

    def paint(self, left: int, top: int, size: Size) -> Painted:
        """Return a block of the canvas, in label pixels; 0 where no region or no tissue lies."""
        scale = self._canvas.scale
        inside = self._mask.read(left * scale, top * scale, size, scale=scale)
        labels = np.zeros(inside.shape, np.uint8)
        pixels, sums = np.zeros(256, np.int64), np.zeros(256)
        step = self._canvas.confidence_step
        boxes = np.zeros((2, -(-size.height // step), -(-size.width // step)))
        if inside.any():
            blend = self._blend(left * scale, top * scale, size)
            _decide(
                blend.mean, blend.total, inside, self._values, step, labels, boxes, pixels, sums
            )
        confidence = np.rint(boxes[1] / np.maximum(boxes[0], 1)).astype(np.uint8)
        return Painted(labels, confidence, pixels, sums)

    def _blend(self, left: float, top: float, size: Size) -> Blend:
        blend, scale = Blend(size, len(self._values)), self._canvas.scale
        for region in self._overlapping(left, top, size):
            x, y = left - region.left, top - region.top
            blend.add(
                self._read_mesh(region.index),
                blend_ramp(region.size.width, self._overlap, size.width, start=x, scale=scale),
                blend_ramp(region.size.height, self._overlap, size.height, start=y, scale=scale),
                left=x,
                top=y,
                scale=scale,
            )
        return blend

    def _overlapping(self, left: float, top: float, size: Size) -> list[Region]:
        right = left + size.width * self._canvas.scale
        bottom = top + size.height * self._canvas.scale
        lefts, tops, rights, bottoms = self._boxes.T
        hit = (lefts < right) & (rights > left) & (tops < bottom) & (bottoms > top)
        return [self._regions[place] for place in np.flatnonzero(hit).tolist()]


def _box(region: Region) -> tuple[int, int, int, int]:
    size = region.size
    return region.left, region.top, region.left + size.width, region.top + size.height


@njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _decide(
    mean: NDArray[np.float32],
    total: NDArray[np.float32],
    inside: NDArray[np.bool_],
    values: NDArray[np.uint8],
    step: int,
    labels: NDArray[np.uint8],
    boxes: NDArray[np.float64],
    pixels: NDArray[np.int64],
    sums: NDArray[np.float64],
) -> None:
    """Set the label of each pixel inside: the class of the highest score, the first of equal ones.

    Count pixels and winning scores of each label, and of each step x step box.
    """
    height, width, classes = mean.shape
    for row in range(height):
        for column in range(width):
            if total[row, column] == 0 or not inside[row, column]:
                continue
            highest, winner = mean[row, column, 0], 0
            for c in range(1, classes):
                if mean[row, column, c] > highest:
                    highest, winner = mean[row, column, c], c
            label = values[winner]
            labels[row, column] = label
            pixels[label] += 1
            sums[label] += highest
            boxes[0, row // step, column // step] += 1
            boxes[1, row // step, column // step] += highest
