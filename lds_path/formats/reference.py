"""Reference labels drawn by a person, read in working pixels a window at a time."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import rasterio
import rasterio.features
import shapely
import tifffile
import zarr
from PIL import Image, UnidentifiedImageError

from lds_path.errors import LabelsError
from lds_path.formats.annotations import read_polygons
from lds_path.geometry import Size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

IGNORE = 255
"""Label value of pixels that nothing is known of, like 0 but inside an annotated area."""
MAX_WHOLE_PIXELS = 2**31
"""A label image without tiles is held in memory, up to this size."""

_TILED = "save it as a tiled TIFF (vips tiffsave --tile)"


class Reference(Protocol):
    """Reference labels of one slide; any thread may read."""

    def read(self, left: int, top: int, size: Size, *, step: int = 1) -> NDArray[np.uint8]:
        """Return a window of labels.

        Parameters
        ----------
        left, top
            Corner in working pixels.
        size
            Extent in working pixels.
        step
            Return every step-th pixel along each axis only, from the middle of each step.

        Returns
        -------
        NDArray
            Class values, (height / step, width / step), uint8; 0 where nothing is labelled and
            beyond the edges.
        """


@dataclass(frozen=True)
class TiledPixels:
    """The pixels of a tiled TIFF, opened anew for each window."""

    path: Path
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, window: tuple[slice, slice]) -> NDArray[Any]:
        """Return the pixels of a window, from the tiles that it touches."""
        with tifffile.TiffFile(self.path) as file, file.pages.first.aszarr() as store:
            return np.asarray(zarr.open_array(store, mode="r")[window])


@dataclass(frozen=True)
class LabelImage:
    """A label image that covers the slide's bounds, read to the nearest pixel."""

    path: Path
    pixels: TiledPixels | NDArray[Any]
    """(H, W), in memory or read tile by tile."""
    slide: Size
    """Extent of the pyramid in working pixels."""

    def read(self, left: int, top: int, size: Size, *, step: int = 1) -> NDArray[np.uint8]:
        """Return a window of labels, see `Reference`."""
        height, width = self.pixels.shape
        columns = _nearest(left, size.width, step, width / self.slide.width)
        rows = _nearest(top, size.height, step, height / self.slide.height)
        x, y = _within(columns, width), _within(rows, height)
        window = np.zeros((len(rows), len(columns)), np.uint8)
        if x.any() and y.any():
            x0, y0 = columns[x][0], rows[y][0]
            block = np.asarray(self.pixels[y0 : rows[y][-1] + 1, x0 : columns[x][-1] + 1])
            window[np.ix_(y, x)] = block[np.ix_(rows[y] - y0, columns[x] - x0)]
        return window


@dataclass(frozen=True)
class LabelPolygons:
    """Areas with classes; where they overlap, the smaller one counts."""

    areas: tuple[BaseGeometry, ...]
    """In level-0 pixels from the bounds corner, the largest first."""
    values: tuple[int, ...]
    downsample: float
    """Level-0 pixels per working pixel."""

    def read(self, left: int, top: int, size: Size, *, step: int = 1) -> NDArray[np.uint8]:
        """Return a window of labels, see `Reference`."""
        shape = (size.height // step, size.width // step)
        x, y = left * self.downsample, top * self.downsample
        window = shapely.box(
            x, y, x + size.width * self.downsample, y + size.height * self.downsample
        )
        inside = [
            (area, value)
            for area, value in zip(self.areas, self.values, strict=True)
            if area.intersects(window)
        ]
        if not inside:
            return np.zeros(shape, np.uint8)
        scale = step * self.downsample
        labels: NDArray[np.uint8] = rasterio.features.rasterize(
            inside, shape, transform=rasterio.Affine(scale, 0, x, 0, scale, y), dtype="uint8"
        )
        return labels


@dataclass(frozen=True)
class WithinRoi:
    """Reference labels inside a region of interest, and nothing outside it."""

    reference: Reference
    roi: Reference

    def read(self, left: int, top: int, size: Size, *, step: int = 1) -> NDArray[np.uint8]:
        """Return a window of labels, see `Reference`."""
        labels = self.reference.read(left, top, size, step=step)
        return np.where(self.roi.read(left, top, size, step=step) > 0, labels, 0)


def open_reference(
    path: Path,
    *,
    classes: Sequence[str],
    slide: Size,
    bounds_l0: Size,
    downsample: float,
    roi: Path | None = None,
) -> Reference:
    """Return the reference labels of a slide.

    Parameters
    ----------
    path
        GeoJSON, plain or gzipped, whose objects have a class; or a label image.
    classes
        Names of the classes, in the order of their values 1, 2, ...
    slide
        Extent of the slide's pyramid in working pixels.
    bounds_l0
        Extent of the same rectangle in level-0 pixels.
    downsample
        Level-0 pixels per working pixel.
    roi
        GeoJSON of the areas that were annotated; everywhere when None.

    Raises
    ------
    LabelsError
        If a file cannot be read, does not fit the slide, or has an unknown class.
    """
    reference: Reference
    if path.name.lower().endswith((".geojson", ".json", ".geojson.gz", ".json.gz")):
        reference = open_label_polygons(path, classes, downsample)
    else:
        reference = open_label_image(path, slide, bounds_l0)
    if roi is None:
        return reference
    areas = tuple(area for _, area in read_polygons(roi))
    return WithinRoi(reference, LabelPolygons(areas, (1,) * len(areas), downsample))


def open_label_polygons(path: Path, classes: Sequence[str], downsample: float) -> LabelPolygons:
    """Return the areas of a GeoJSON file, in level-0 pixels from the bounds corner.

    Raises
    ------
    LabelsError
        If the file cannot be read, or an object has no class or an unknown one.
    """
    polygons = sorted(read_polygons(path), key=lambda one: -one[1].area)
    for name, _ in polygons:
        if name not in classes:
            raise LabelsError(
                f"{path} has an object of the class '{name}', but the classes are"
                f" {', '.join(classes)}; rename it in QuPath or add it to `classes`"
            )
    values = tuple(classes.index(name) + 1 for name, _ in polygons)
    return LabelPolygons(tuple(area for _, area in polygons), values, downsample)


def open_label_image(path: Path, slide: Size, bounds_l0: Size) -> LabelImage:
    """Return the label image of a slide.

    Parameters
    ----------
    path
        TIFF, PNG or another image of one 8-bit channel; a tiled TIFF is read tile by tile.
    slide
        Extent of the slide's pyramid in working pixels.
    bounds_l0
        Extent of the same rectangle in level-0 pixels.

    Raises
    ------
    LabelsError
        If the file is no such image, or not as large as the slide, its working pixels, or a
        whole fraction of the slide.
    """
    pixels = _open_tiff(path) if _is_tiff(path) else _open_image(path)
    if len(pixels.shape) != 2 or pixels.dtype != np.uint8:
        raise LabelsError(
            f"{path} holds {pixels.dtype} pixels of shape {tuple(pixels.shape)}; reference labels"
            " are one 8-bit channel of class values, 0 for background"
        )
    found = Size(pixels.shape[1], pixels.shape[0])
    if found != slide and not _is_whole_fraction(found, bounds_l0):
        raise LabelsError(
            f"{path} is {found.width} x {found.height}, but the slide's level 0 is"
            f" {bounds_l0.width} x {bounds_l0.height}; reference labels have that size or a whole"
            " fraction of it"
        )
    return LabelImage(path, pixels, slide)


def _is_tiff(path: Path) -> bool:
    return path.suffix.lower() in (".tif", ".tiff")


def _open_tiff(path: Path) -> TiledPixels | NDArray[Any]:
    try:
        file = tifffile.TiffFile(path)
    except (tifffile.TiffFileError, OSError) as error:
        raise LabelsError(f"{path} cannot be read as TIFF ({_line(error)}); check it") from None
    with file:
        page = file.pages.first
        if page.is_tiled:
            return TiledPixels(path, page.shape, np.dtype(page.dtype))
        _check_fits(path, Size(page.imagewidth, page.imagelength))
        return page.asarray()


def _open_image(path: Path) -> NDArray[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                return np.asarray(image)
    except Image.DecompressionBombError:
        raise LabelsError(f"{path} is too large for the memory; {_TILED}") from None
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise LabelsError(f"{path} cannot be read as an image ({_line(error)})") from None


def _check_fits(path: Path, size: Size) -> None:
    if size.width * size.height > MAX_WHOLE_PIXELS:
        raise LabelsError(
            f"{path} has {size.width} x {size.height} pixels without tiles, too many for the"
            f" memory; {_TILED}"
        )


def _is_whole_fraction(found: Size, whole: Size) -> bool:
    factor = round(whole.width / found.width)
    return factor >= 1 and all(
        abs(length - expected / factor) < 1
        for length, expected in ((found.width, whole.width), (found.height, whole.height))
    )


def _nearest(start: int, length: int, step: int, ratio: float) -> NDArray[np.int64]:
    """Return the label pixels that hold the middles of working pixels or steps of them."""
    middles = start + step * (np.arange(length // step) + 0.5)
    index: NDArray[np.int64] = np.floor(middles * ratio).astype(np.int64)
    return index


def _within(index: NDArray[np.int64], length: int) -> NDArray[np.bool_]:
    return (index >= 0) & (index < length)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
