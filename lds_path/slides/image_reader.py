"""Images without levels and tiles: PNG, JPEG and whatever else Pillow reads, whole in memory."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from lds_path.errors import UnreadableSlideError
from lds_path.geometry import Size
from lds_path.slides.mpp import mpp_from_resolution

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WHITE = 255
MAX_PIXELS = 2**27
"""More pixels than this are not held in memory: up to four bytes each for Pillow, three for us."""
STRIP = 2**22
"""Pixels that are converted at a time."""
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PPM")
"""What Pillow may read; some of its other formats run programs or fetch files."""
REMEDY = "convert it to a tiled pyramidal TIFF (vips tiffsave --tile --pyramid)"
CONVERTED_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "La", "CMYK", "YCbCr"}


class PlainImage:
    """One image in memory, read like a slide of one level."""

    aligned = (True,)
    vendor = ""
    icc_profile = False
    objective_power: float | None = None
    metadata_mpp: tuple[float, float] | None = None

    def __init__(
        self, pixels: NDArray[np.uint8], file_format: str, tags_mpp: tuple[float, float] | None
    ) -> None:
        self._pixels = pixels
        self.format = file_format
        self.tags_mpp = tags_mpp
        self.level_sizes = (Size(pixels.shape[1], pixels.shape[0]),)
        self.level_downsamples = (1.0,)
        self.bounds = (0, 0, self.level_sizes[0])

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3); outside the image it is white."""
        del level  # there is only one
        block = np.full((size.height, size.width, 3), WHITE, np.uint8)
        paste(self._pixels, block, round(left), round(top))
        return block

    def close(self) -> None:
        """Forget the pixels."""
        self._pixels = np.empty((0, 0, 3), np.uint8)


def paste(source: NDArray[np.uint8], block: NDArray[np.uint8], left: int, top: int) -> None:
    """Copy into a block the part of a source that it shows; (left, top) is the block's corner.

    Convention: (H, W, ...) arrays; positions are pixels of the source, from its corner.
    """
    y0, y1 = max(top, 0), min(top + block.shape[0], source.shape[0])
    x0, x1 = max(left, 0), min(left + block.shape[1], source.shape[1])
    if y0 < y1 and x0 < x1:
        block[y0 - top : y1 - top, x0 - left : x1 - left] = source[y0:y1, x0:x1]


def open_plain(path: Path) -> PlainImage:
    """Return an image that Pillow reads.

    Raises
    ------
    UnreadableSlideError
        If Pillow does not know the format, the file is damaged, the image too large for the
        memory, or its pixels are not 8-bit grey or colour.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                _check(path, image)
                pixels = to_rgb(image)
                dpi, file_format = image.info.get("dpi"), image.format or "image"
                icc_profile = "icc_profile" in image.info
    except UnidentifiedImageError:
        raise UnreadableSlideError(
            f"{path} is not a slide or image of a known format; check the file, or convert it to"
            " a tiled TIFF"
        ) from None
    except Image.DecompressionBombError:
        raise too_large(path) from None
    except MemoryError:  # also where a damaged header asks for it
        raise UnreadableSlideError(
            f"{path} is damaged or needs more memory than there is; copy it again from its source,"
            f" or {REMEDY}"
        ) from None
    except UnreadableSlideError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UnreadableSlideError(
            f"{path} cannot be decoded ({error}); copy it again from its source"
        ) from None
    tags_mpp = mpp_from_resolution(float(dpi[0]), float(dpi[1]), "inch") if dpi else None
    plain = PlainImage(pixels, file_format, tags_mpp)
    plain.icc_profile = icc_profile
    return plain


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Return an image as RGB over white, (H, W, 3)."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(STRIP // image.width, 1)
    image.load()
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        pixels[top : top + rows] = _strip_to_rgb(strip)
    return pixels


def _strip_to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.new("RGBA", image.size, (WHITE, WHITE, WHITE, 255))
        image.alpha_composite(rgba)
    return np.asarray(image.convert("RGB"))


def too_large(path: Path) -> UnreadableSlideError:
    """Return the error for an image that cannot be held in memory."""
    return UnreadableSlideError(
        f"{path} is one image without tiles and too large to hold in memory (more than"
        f" {MAX_PIXELS // 10**6} million pixels); {REMEDY}"
    )


def _check(path: Path, image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise too_large(path)
    if image.mode not in CONVERTED_MODES:
        raise UnreadableSlideError(
            f"{path} has pixels of mode {image.mode}; expected 8-bit RGB or grey; convert it to"
            " 8-bit RGB"
        )
