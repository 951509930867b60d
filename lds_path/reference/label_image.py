"""Label images: one channel of class values that covers a slide, at any whole fraction of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lds_path.errors import LabelsError
from lds_path.geometry import Size
from lds_path.reference.label_file import TiledPixels, open_pixels, stated_area
from lds_path.reference.legend import IGNORE, recode

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.reference.legend import Legend


@dataclass(frozen=True)
class LabelImage:
    """A label image that covers the slide's bounds, read to the nearest pixel."""

    path: Path
    pixels: TiledPixels | NDArray[Any]
    """(H, W), in memory or read tile by tile."""
    slide: Size
    """Extent of the pyramid in working pixels."""
    legend: Legend
    empty_objects: int = 0
    """An image has no objects."""

    def read(self, left: int, top: int, size: Size, *, step: int = 1) -> NDArray[np.uint8]:
        """Return a window of labels, see `Reference`.

        Raises
        ------
        LabelsError
            If it holds a value that the legend does not know.
        """
        height, width = self.pixels.shape
        columns = _nearest(left, size.width, step, width / self.slide.width)
        rows = _nearest(top, size.height, step, height / self.slide.height)
        x, y = _within(columns, width), _within(rows, height)
        window = np.full((len(rows), len(columns)), IGNORE, np.uint8)
        if columns[x].size and rows[y].size:
            x0, y0 = columns[x][0], rows[y][0]
            block = np.asarray(self.pixels[y0 : rows[y][-1] + 1, x0 : columns[x][-1] + 1])
            labels = self._translate(block)
            window[y, x] = labels.take(rows[y] - y0, axis=0).take(columns[x] - x0, axis=1)
        return window

    def _translate(self, block: NDArray[np.uint8]) -> NDArray[np.uint8]:
        values, known = self.legend.table()
        unknown = block.tobytes().translate(None, delete=bytes(np.flatnonzero(known).tolist()))
        if unknown:
            names = [f"{value} {name}" for value, name in enumerate(self.legend.classes, 1) if name]
            raise LabelsError(
                f"{self.path} has the label value {unknown[0]}, but the classes are"
                f" {', '.join(names)}; use these, 0 for what is not labelled and {IGNORE} to"
                " ignore, or list the value in `class_map` or `ignore`"
            )
        return recode(block, values)


def open_label_image(path: Path, legend: Legend, slide: Size, bounds_l0: Size) -> LabelImage:
    """Return the label image of a slide.

    Parameters
    ----------
    path
        TIFF, PNG or another image of one 8-bit channel; a tiled TIFF is read tile by tile.
    legend
        Meaning of its values.
    slide
        Extent of the slide's pyramid in working pixels.
    bounds_l0
        Extent of the same rectangle in level-0 pixels.

    Raises
    ------
    LabelsError
        If the file is not such an image, or its size is not that of the slide, of the working
        pixels, or a whole fraction of the slide.
    """
    pixels = open_pixels(path)
    size = Size(pixels.shape[1], pixels.shape[0])
    if size != slide and not _is_whole_fraction(size, bounds_l0):
        raise LabelsError(
            f"{path} is {size.width} x {size.height}, but the slide's level 0 is"
            f" {bounds_l0.width} x {bounds_l0.height}; reference labels have that size or a whole"
            " fraction of it"
        )
    return LabelImage(path, pixels, slide, legend)


def read_values(path: Path, legend: Legend, *, max_pixels: int) -> set[int] | None:
    """Return the values of a label image after translation; None if it is too large to look at.

    Parameters
    ----------
    path
        As `open_label_image` takes it.
    legend
        Meaning of its values.
    max_pixels
        A larger image is not read.

    Raises
    ------
    LabelsError
        If the file is not such an image, or holds a value that the legend does not know.
    """
    if stated_area(path) > max_pixels:
        return None
    pixels = open_pixels(path)
    size = Size(pixels.shape[1], pixels.shape[0])
    labels = LabelImage(path, pixels, size, legend).read(0, 0, size)
    return set(np.flatnonzero(np.bincount(labels.ravel(), minlength=256)).tolist())


def _is_whole_fraction(size: Size, whole: Size) -> bool:
    factor = round(whole.width / size.width)
    return factor >= 1 and all(
        abs(length - expected / factor) < 1
        for length, expected in ((size.width, whole.width), (size.height, whole.height))
    )


def _nearest(start: int, length: int, step: int, ratio: float) -> NDArray[np.int64]:
    """Return the label pixels that hold the middles of working pixels or steps of them."""
    middles = start + step * (np.arange(length // step) + 0.5)
    index: NDArray[np.int64] = np.floor(middles * ratio).astype(np.int64)
    return index


def _within(index: NDArray[np.int64], length: int) -> slice:
    """Return the part of a rising index that lies within a length."""
    start, stop = np.searchsorted(index, (0, length)).tolist()
    return slice(start, stop)
