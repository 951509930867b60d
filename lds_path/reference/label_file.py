"""The file of a label image: its one 8-bit channel, or why it cannot be one."""

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
from lds_path.slides.images import is_level_of, is_reduced
from lds_path.slides.ome import names_other_file
from lds_path.slides.readers.image import FORMATS, compare_checksums
from lds_path.slides.tiff_check import DECODE_ERRORS, check_page

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MAX_WHOLE_PIXELS = 2**31
"""A label image without tiles is held in memory, up to this number of pixels."""
LOSSY = ("JPEG", "JPEG2000", "WEBP")
"""Formats that may change values, as they do colours."""

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


def open_pixels(path: Path) -> TiledPixels | NDArray[Any]:
    """Return the class values of a label image, (H, W), in memory or to be read tile by tile.

    Raises
    ------
    LabelsError
        If the file is not an image of one 8-bit channel, stored without loss.
    """
    pixels = _open_tiff(path) if _is_tiff(path) else _open_image(path)
    if len(pixels.shape) != 2 or 0 in pixels.shape or pixels.dtype != np.uint8:
        raise LabelsError(
            f"{path} holds {pixels.dtype} pixels of shape {tuple(pixels.shape)}; reference labels"
            " are one 8-bit channel of class values, 0 for background"
        )
    return pixels


def stated_area(path: Path) -> int:
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
            raise _compressed(path, f"method {page.compression:d}")
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
    size = _size(page)
    below = [one for one in page.pages or () if isinstance(one, tifffile.TiffPage)]
    others = [one for one in (*pages, *below) if one is not page]
    rest = [_size(one) for one in others if not _is_level(one, size)]
    planes = max((_planes(one) for one in file.series if _size(one.keyframe) == size), default=1)
    if rest or planes > 1:
        listed = ", ".join(f"{one.width} x {one.height}" for one in (size, *rest)[:4])
        raise LabelsError(
            f"{path} holds {max(len(rest) + 1, planes)} images ({listed}), such as a"
            " page or a channel per class; reference labels are one 8-bit channel of class values;"
            " write them as one image"
        )
    if file.is_ome and names_other_file(file.pages.first.description):
        raise LabelsError(
            f"{path} is one of several files, which another describes; reference labels are one"
            " image; write them as one file"
        )
    return page


def _size(page: Any) -> Size:  # noqa: ANN401 - a tifffile page
    return Size(page.imagewidth, page.imagelength)


def _is_level(page: Any, full: Size) -> bool:  # noqa: ANN401 - a tifffile page
    """Return whether a page is a reduced level of a size; one of that size never is, if marked."""
    size = _size(page)
    return size.area < full.area and (is_reduced(page) or is_level_of(size, full))


def _planes(series: Any) -> int:  # noqa: ANN401 - tifffile's series
    """Return the number of images of one size that a series holds, perhaps in one page."""
    return int(series.size // max(series.keyframe.size, 1))


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
                if image.format in LOSSY:
                    raise _compressed(path, image.format)
                values = np.asarray(image)
                _check_palette(path, image, values)
                return values
    except LabelsError:
        raise
    except Image.DecompressionBombError:
        raise LabelsError(f"{path} is too large for the memory; {_TILED}") from None
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise LabelsError(f"{path} cannot be read as an image ({_line(error)})") from None


def _check_palette(path: Path, image: Image.Image, values: NDArray[Any]) -> None:
    """Refuse values that a program may have numbered anew: their colours are other greys."""
    if image.mode != "P" or image.palette is None:
        return
    colours = np.reshape(image.getpalette() or (), (-1, 3))
    used = np.flatnonzero(np.bincount(values.ravel(), minlength=256))
    used = used[used < len(colours)]
    grey = colours[used, 0]
    if (colours[used] != grey[:, None]).any() or (grey == used).all() or set(grey) <= {0, 255}:
        return
    raise LabelsError(
        f"{path} has a palette in which the values {_few(used)} are the greys {_few(grey)}, so that"
        " either may be the classes; save it as a grey image"
    )


def _few(numbers: NDArray[Any]) -> str:
    return ", ".join(map(str, numbers[:4].tolist())) + (", ..." if len(numbers) > 4 else "")


def _compressed(path: Path, how: str) -> LabelsError:
    return LabelsError(
        f"{path} is compressed as a photograph ({how}); reference labels need a lossless"
        " compression such as deflate; save them again from their source"
    )


def _damaged(path: Path, error: Exception) -> LabelsError:
    return LabelsError(f"{path} has pixels that cannot be decoded ({_line(error)}); copy it again")


def _check_fits(path: Path, size: Size) -> None:
    if size.area > MAX_WHOLE_PIXELS:
        raise LabelsError(
            f"{path} has {size.width} x {size.height} pixels without tiles, too many for the"
            f" memory; {_TILED}"
        )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
