"""The regions of a slide put together, block by block: labels and confidence, or all scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np

from lds_path.compiled import compiled
from lds_path.geometry import Rectangle, Size
from lds_path.unwarp.arg_max import write_likeliest
from lds_path.unwarp.blend import Blend, blend_ramp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from lds_path.geometry import Region
    from lds_path.unwarp.canvas import Canvas
    from lds_path.unwarp.mesh import Mesh

_MESHES = 16
_EDGE = 1e-3  # working pixels


class Mask(Protocol):
    """Where tissue lies."""

    def read(self, left: float, top: float, size: Size, *, scale: float) -> NDArray[np.bool_]:
        """Return the mask at the pixel centres of a window, (H, W)."""
        ...


@dataclass(frozen=True)
class Painted:
    """One block of the result, and its counts."""

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
        In the order of blending.
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
        rectangles = [region.rectangle for region in regions]
        self._boxes = np.array(
            [
                (rectangle.left, rectangle.top, rectangle.right, rectangle.bottom)
                for rectangle in rectangles
            ]
        )
        # Neighbouring blocks share regions; bands of blocks read them again.
        self._read_mesh = lru_cache(maxsize=_MESHES)(read_mesh)

    def paint(self, left: int, top: int, size: Size) -> Painted:
        """Return a block of the canvas, in label pixels; 0 where no region or no tissue lies."""
        scale, step = self._canvas.scale, self._canvas.confidence_step
        inside = self._read_mask(left, top, size)
        pixels, sums = np.zeros(256, np.int64), np.zeros(256)
        grid = size.ceil_div(step)
        boxes = np.zeros((2, grid.height, grid.width))
        likeliest = np.zeros(inside.shape, np.uint8)
        if inside.any():
            highest = np.full(inside.shape, -1, np.float32)
            for part, regions in self._parts(left * scale, top * scale, inside):
                self._decide(left * scale, top * scale, part, regions, likeliest, highest)
            _count(likeliest, highest, inside, self._values, step, boxes, pixels, sums)
        confidence = np.rint(boxes[1] / np.maximum(boxes[0], 1)).astype(np.uint8)
        return Painted(likeliest, confidence, pixels, sums)

    def scores(self, left: int, top: int, size: Size) -> NDArray[np.float32]:
        """Return the scores of all classes in a block of the canvas, (H, W, C).

        They are those that `paint` compares for the same block; all are 0 where its label is 0.
        """
        scale, inside = self._canvas.scale, self._read_mask(left, top, size)
        whole = Blend(size, len(self._values))
        x, y = left * scale, top * scale
        ones = np.ones(max(size.width, size.height), np.float32)
        for part, regions in self._parts(x, y, inside):
            if len(regions) == 1:
                (region,) = regions
                corner = {"left": x - region.left, "top": y - region.top}
                mesh = self._read_mesh(region.index)
                whole.add(mesh, ones, ones, **corner, scale=scale, part=part)
            elif regions:
                whole.mean[part.slices] = self._blend(x, y, part, regions).mean
        whole.mean[~inside] = 0
        return whole.mean

    def _read_mask(self, left: int, top: int, size: Size) -> NDArray[np.bool_]:
        scale = self._canvas.scale
        return self._mask.read(left * scale, top * scale, size, scale=scale)

    def _parts(
        self, left: float, top: float, inside: NDArray[np.bool_]
    ) -> Iterator[tuple[Rectangle, list[Region]]]:
        """Yield the parts of a block between the regions' edges, and the regions that cover each.

        Most of a slide is covered by one region, where nothing has to be blended. Parts without
        tissue are left out.
        """
        scale = self._canvas.scale
        size = Size(inside.shape[1], inside.shape[0])
        lefts, tops, rights, bottoms = self._boxes.T
        hit = (lefts < left + size.width * scale) & (rights > left)
        hit &= (tops < top + size.height * scale) & (bottoms > top)
        near = self._boxes[hit]
        columns = _cuts(near[:, [0, 2]], left, scale, size.width)
        rows = _cuts(near[:, [1, 3]], top, scale, size.height)
        for row, row_end in pairwise(rows):
            for column, column_end in pairwise(columns):
                part = Rectangle.between(column, row, column_end, row_end)
                if not inside[part.slices].any():
                    continue
                # Centres exactly on a region's edge may lie in either region: take both.
                low = np.array([left, top]) + (np.array([column, row]) + 0.5) * scale - _EDGE
                high = (
                    np.array([left, top]) + (np.array([column_end, row_end]) - 0.5) * scale + _EDGE
                )
                covered = (
                    hit & (self._boxes[:, :2] < high).all(1) & (self._boxes[:, 2:] > low).all(1)
                )
                yield part, [self._regions[index] for index in np.flatnonzero(covered).tolist()]

    def _decide(
        self,
        left: float,
        top: float,
        part: Rectangle,
        regions: Sequence[Region],
        likeliest: NDArray[np.uint8],
        highest: NDArray[np.float32],
    ) -> None:
        """Write the likeliest class, and its score, in a part of a block."""
        scale = self._canvas.scale
        if len(regions) == 1:
            x, y = left - regions[0].left, top - regions[0].top
            mesh = self._read_mesh(regions[0].index)
            write_likeliest(mesh, likeliest, highest, part, left=x, top=y, scale=scale)
        elif regions:
            blend = self._blend(left, top, part, regions)
            _choose_blended(blend.mean, blend.total, part.top, part.left, likeliest, highest)

    def _blend(self, left: float, top: float, part: Rectangle, regions: Sequence[Region]) -> Blend:
        """Return the scores of a part of a block whose corner is at left and top."""
        size, scale = part.size, self._canvas.scale
        blend = Blend(size, len(self._values))
        for region in regions:
            x = left + part.left * scale - region.left
            y = top + part.top * scale - region.top
            blend.add(
                self._read_mesh(region.index),
                blend_ramp(region.size.width, self._overlap, size.width, start=x, scale=scale),
                blend_ramp(region.size.height, self._overlap, size.height, start=y, scale=scale),
                left=x,
                top=y,
                scale=scale,
            )
        return blend


def _cuts(edges: NDArray[np.int64], start: float, scale: float, length: int) -> list[int]:
    """Return 0, the first pixel beyond each edge along an axis, and the length, in order."""
    cuts = np.ceil((edges.ravel() - start) / scale - 0.5).astype(int)
    return sorted({0, length, *np.clip(cuts, 0, length).tolist()})


@compiled
def _choose_blended(
    mean: NDArray[np.float32],
    total: NDArray[np.float32],
    top: int,
    left: int,
    likeliest: NDArray[np.uint8],
    highest: NDArray[np.float32],
) -> None:
    """Set the highest score of each pixel that a region covers, and its class."""
    height, width, classes = mean.shape
    for row in range(height):
        for column in range(width):
            if total[row, column] == 0:
                continue
            best, winner = mean[row, column, 0], 0
            for c in range(1, classes):
                if mean[row, column, c] > best:
                    best, winner = mean[row, column, c], c
            likeliest[top + row, left + column] = winner
            highest[top + row, left + column] = best


@compiled
def _count(
    labels: NDArray[np.uint8],
    highest: NDArray[np.float32],
    inside: NDArray[np.bool_],
    values: NDArray[np.uint8],
    step: int,
    boxes: NDArray[np.float64],
    pixels: NDArray[np.int64],
    sums: NDArray[np.float64],
) -> None:
    """Turn class indices into labels, 0 outside; count pixels and sum the winning scores.

    They are counted for each label, and for each step x step box.
    """
    height, width = labels.shape
    for row in range(height):
        for box in range(boxes.shape[2]):
            first, last = box * step, min((box + 1) * step, width)
            # One label's run at a time is summed up: most boxes hold a single one.
            label, count, total = 0, 0, 0.0
            for column in range(first, last):
                score = highest[row, column]
                if score < -0.5 or not inside[row, column]:
                    labels[row, column] = 0
                    continue
                value = values[labels[row, column]]
                labels[row, column] = value
                if value != label:
                    _add(label, count, total, pixels, sums, boxes[:, row // step, box])
                    label, count, total = value, 0, 0.0
                count += 1
                total += score
            _add(label, count, total, pixels, sums, boxes[:, row // step, box])


@compiled
def _add(
    label: int,
    count: int,
    total: float,
    pixels: NDArray[np.int64],
    sums: NDArray[np.float64],
    box: NDArray[np.float64],
) -> None:
    pixels[label] += count
    sums[label] += total
    box[0] += count
    box[1] += total
