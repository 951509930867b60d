"""Label images: one channel of class values that covers a slide, at any whole fraction of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
import zarr
from PIL import Image, UnidentifiedImageError

from lds_path.errors import LabelsError, UnreadableSlideError
from lds_path.geometry import Size
from lds_path.reference.legend import IGNORE, recode
from lds_path.slides.readers.image import FORMATS, compare_checksums
from lds_path.slides.tiff_check import DECODE_ERRORS, check_page
from lds_path.slides.tiff_images import is_level_of, is_reduced

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.reference.legend import Legend

MAX_WHOLE_PIXELS = 2**31
"""A label image without tiles is held in memory, up to this number of pixels."""

_TILED = "save it as a tiled TIFF (vips tiffsave --tile)"


@dataclass(frozen=True)
class TiledPixels:
    """The pixels of a page of a tiled TIFF, which is opened again for each window."""

    path: Path
    page: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def __getitem__(self, window: tuple[slice, slice]) -> NDArray[Any]:
        """Return the pixels of a window, from the tiles that it touches."""
        with tifffile.TiffFile(self.path) as file, file.pages[self.page].aszarr() as store:
            try:
                return np.asarray(zarr.open_array(store, mode="r")[window])
            except DECODE_ERRORS as error:
                raise _damaged(self.path, error) from None


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
    pixels = _open_pixels(path)
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
    if _stated_area(path) > max_pixels:
        return None
    pixels = _open_pixels(path)
    size = Size(pixels.shape[1], pixels.shape[0])
    labels = LabelImage(path, pixels, size, legend).read(0, 0, size)
    return set(np.flatnonzero(np.bincount(labels.ravel(), minlength=256)).tolist())


def _open_pixels(path: Path) -> TiledPixels | NDArray[Any]:
    pixels = _open_tiff(path) if _is_tiff(path) else _open_image(path)
    if len(pixels.shape) != 2 or 0 in pixels.shape or pixels.dtype != np.uint8:
        raise LabelsError(
            f"{path} holds {pixels.dtype} pixels of shape {tuple(pixels.shape)}; reference labels"
            " are one 8-bit channel of class values, 0 for background"
        )
    return pixels


def _stated_area(path: Path) -> int:
    """Return the number of pixels that a file states; 0 for a file that cannot be opened."""
    try:
        if _is_tiff(path):
            with tifffile.TiffFile(path) as file:
                page = file.pages.first
                return int(page.imagewidth * page.imagelength)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                return image.width * image.height
    except (*DECODE_ERRORS, Image.DecompressionBombError, SyntaxError):
        return 0


def _is_tiff(path: Path) -> bool:
    return path.suffix.lower() in (".tif", ".tiff")


def _open_tiff(path: Path) -> TiledPixels | NDArray[Any]:
    try:
        file = tifffile.TiffFile(path)
    except (tifffile.TiffFileError, *DECODE_ERRORS) as error:
        raise LabelsError(f"{path} cannot be read as TIFF ({_line(error)}); check it") from None
    with file:
        try:
            page = _find_page(path, file)
            check_page(path, page, file.filehandle.size)
        except (LabelsError, UnreadableSlideError):
            raise
        except DECODE_ERRORS as error:
            raise _damaged(path, error) from None
        if page.compression in tifffile.TIFF.IMAGE_COMPRESSIONS:
            raise LabelsError(
                f"{path} is compressed as a photograph (method {page.compression:d}); reference labels"
                " need a lossless compression such as deflate; save them again from their source"
            )
        if page.is_tiled:
            return TiledPixels(path, page.index, page.shape, np.dtype(page.dtype))
        _check_fits(path, Size(page.imagewidth, page.imagelength))
        try:
            return np.asarray(page.asarray())
        except DECODE_ERRORS as error:
            raise _damaged(path, error) from None


def _find_page(path: Path, file: tifffile.TiffFile) -> Any:  # noqa: ANN401 - a tifffile page
    """Return the largest page, whose levels all others must be."""
    pages = [page for page in file.pages if isinstance(page, tifffile.TiffPage)]
    page = max(pages, key=lambda one: one.imagewidth * one.imagelength)
    size = Size(page.imagewidth, page.imagelength)
    others = [one for one in pages if one is not page and not is_reduced(one)]
    sizes = [Size(one.imagewidth, one.imagelength) for one in others]
    rest = [other for other in sizes if other == size or not is_level_of(other, size)]
    planes = len(file.series[0].pages) if file.is_ome and file.series else 1
    if rest or planes > 1:
        listed = ", ".join(f"{one.width} x {one.height}" for one in (size, *rest)[:4])
        raise LabelsError(
            f"{path} holds {max(len(rest) + 1, planes)} images ({listed}), such as a"
            " page or a channel per class; reference labels are one 8-bit channel of class values;"
            " write them as one image"
        )
    return page


def _open_image(path: Path) -> NDArray[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            compare_checksums(path)
            with Image.open(path, formats=FORMATS) as image:
                if (pictures := getattr(image, "n_frames", 1)) > 1:
                    raise LabelsError(
                        f"{path} holds {pictures} pictures; reference labels are one; write them"
                        " as one image"
                    )
                return np.asarray(image)
    except LabelsError:
        raise
    except Image.DecompressionBombError:
        raise LabelsError(f"{path} is too large for the memory; {_TILED}") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise LabelsError(f"{path} cannot be read as an image ({_line(error)})") from None


def _damaged(path: Path, error: Exception) -> LabelsError:
    return LabelsError(f"{path} has pixels that cannot be decoded ({_line(error)}); copy it again")


def _check_fits(path: Path, size: Size) -> None:
    if size.area > MAX_WHOLE_PIXELS:
        raise LabelsError(
            f"{path} has {size.width} x {size.height} pixels without tiles, too many for the"
            f" memory; {_TILED}"
        )


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


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
