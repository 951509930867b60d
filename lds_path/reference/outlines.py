"""Areas of a slide that people give: a region of interest, or their own outline of the tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import shapely

from lds_path.errors import LabelsError
from lds_path.geometry import ceil_div
from lds_path.objects.drawn_objects import read_objects
from lds_path.reference.drawing import rasterise
from lds_path.reference.label_file import open_pixels

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.formats.pyramid import Pyramid
    from lds_path.geometry import Size

IMAGES = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg")
"""Endings of a mask; any other file is GeoJSON."""
MAX_PIXELS = 2**28
"""Of a mask, which is read as a whole."""


def read_area(path: Path, pyramid: Pyramid, downsample: int) -> tuple[NDArray[np.bool_], int]:
    """Return which pixels of the tissue mask lie in an area, (H, W), and its objects without area.

    Parameters
    ----------
    path
        GeoJSON in QuPath's frame, or an image that shows the slide's bounds at any scale, 0 outside
        the area.
    pyramid
        Of the slide.
    downsample
        Working pixels per pixel of the tissue mask.

    Raises
    ------
    LabelsError
        If the file cannot be read, is not of this slide, or holds no area.
    """
    if not path.exists():
        raise LabelsError(
            f"{path} does not exist; expected GeoJSON or a mask image: check the path, and give a column"
            " of your own another name than `tissue` or `roi`"
        )
    size = pyramid.size.ceil_div(downsample)
    if path.suffix.lower() in IMAGES:
        inside, empty = _from_image(path, pyramid.size, downsample), 0
    else:
        inside, empty = _from_outlines(path, pyramid, size, downsample)
    if not inside.any():
        raise LabelsError(
            f"{path} covers no pixel of the tissue mask, which has"
            f" {pyramid.frame.mpp * downsample:.3g} um per pixel; draw a larger area"
        )
    return inside, empty


def _from_outlines(
    path: Path, pyramid: Pyramid, size: Size, downsample: int
) -> tuple[NDArray[np.bool_], int]:
    """Return the pixels whose centres lie in any polygon, and how many polygons have no area."""
    drawn = read_objects(path)
    area = shapely.union_all([polygon for _, polygon in drawn.polygons])
    extent, scale = pyramid.size, pyramid.frame.downsample
    slide = shapely.box(0, 0, extent.width * scale, extent.height * scale)
    if not area.intersects(slide):
        span, whole = (tuple(round(bound) for bound in shape.bounds) for shape in (area, slide))
        raise LabelsError(
            f"{path} lies outside the slide: its areas span {span} (left, top, right, bottom in"
            f" level-0 pixels from the bounds corner), the slide {whole}; draw it on this slide"
        )
    return rasterise([(area, 1)], size, downsample=scale * downsample) > 0, drawn.empty


def _from_image(path: Path, extent: Size, downsample: int) -> NDArray[np.bool_]:
    """Return the pixels at whose centres a mask is not 0."""
    mask = _read_mask(path)
    height, width = mask.shape
    scale = extent.width / width
    if abs(height - extent.height / scale) > max(1.0, height / width):
        raise LabelsError(
            f"{path} has {width} x {height} pixels, which is not the shape of the slide,"
            f" {extent.width} x {extent.height}; expected an image of the whole slide, or of its"
            " bounds if it states some, at any scale"
        )
    rows, columns = (
        np.minimum(
            (np.arange(ceil_div(length, downsample)) + 0.5) * downsample * side / length, side - 1
        )
        for length, side in ((extent.height, height), (extent.width, width))
    )
    inside: NDArray[np.bool_] = mask[np.ix_(rows.astype(np.intp), columns.astype(np.intp))]
    return inside


def _read_mask(path: Path) -> NDArray[np.bool_]:
    """Return where an image of one channel is not 0, (H, W)."""
    pixels = open_pixels(path)
    height, width = pixels.shape
    if width * height > MAX_PIXELS:
        raise LabelsError(
            f"{path} has {width} x {height} pixels, expected at most {MAX_PIXELS} in all; save the mask"
            " at a coarser resolution, such as 8 um per pixel"
        )
    mask: NDArray[np.bool_] = pixels[:height, :width] > 0
    return mask
