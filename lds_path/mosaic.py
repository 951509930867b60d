"""The regions of a slide put together: labels and confidence, block by block."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

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
        self._class_count = len(values)
        self._values = np.array([0, *values], np.uint8)
        self._boxes = np.array([_box(region) for region in regions])
        # Blocks side by side share regions; rows of blocks read them again.
        self._read_mesh = lru_cache(maxsize=_MESHES)(read_mesh)

    def paint(self, left: int, top: int, size: Size) -> Painted:
        """Return a block of the canvas, in label pixels; 0 where no region or no tissue lies."""
        scale = self._canvas.scale
        inside = self._mask.read(left * scale, top * scale, size, scale=scale)
        best = np.zeros(inside.shape, np.uint8)
        score = np.zeros(inside.shape, np.float32)
        if inside.any():
            best, score = self._blend(left * scale, top * scale, size).best()
        labels = np.where(inside, self._values[best], 0).astype(np.uint8)
        score[labels == 0] = 0
        sums = np.bincount(labels.ravel(), weights=score.ravel(), minlength=256)
        return Painted(
            labels,
            _reduce_confidence(score, labels > 0, self._canvas.confidence_step),
            np.bincount(labels.ravel(), minlength=256).astype(np.int64),
            sums.astype(np.float64),
        )

    def _blend(self, left: float, top: float, size: Size) -> Blend:
        blend, scale = Blend(size, self._class_count), self._canvas.scale
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


def _reduce_confidence(
    score: NDArray[np.float32], analysed: NDArray[np.bool_], step: int
) -> NDArray[np.uint8]:
    """Return the mean score of the analysed pixels in each step x step pixels."""
    count = _sum_boxes(analysed.astype(np.float32), step)
    mean = _sum_boxes(score, step) / np.maximum(count, 1)
    return np.rint(np.clip(mean, 0, 255)).astype(np.uint8)


def _sum_boxes(values: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    rows = np.arange(0, values.shape[0], step)
    columns = np.arange(0, values.shape[1], step)
    sums: NDArray[np.float32] = np.add.reduceat(
        np.add.reduceat(values, rows, axis=0), columns, axis=1
    )
    return sums
