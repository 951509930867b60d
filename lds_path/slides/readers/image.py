"""Images without levels and tiles: PNG, JPEG and whatever else Pillow reads, whole in memory."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, UnidentifiedImageError

from lds_path.errors import UnreadableSlideError, UnsuitableSlideError
from lds_path.geometry import Rectangle, Size
from lds_path.slides.images import check_only_scene, choose_image, images_of_pages
from lds_path.slides.mpp import mpp_from_resolution
from lds_path.slides.reader import Level, SlideDescription

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.slides.probe import Probe

WHITE = 255
MAX_PIXELS = 2**27
"""More pixels are not held in memory: up to four bytes each in Pillow, three here."""
STRIP = 2**22
"""Pixels that are converted at a time."""
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "JPEG2000", "PPM")
"""What Pillow may read; some of its other formats run programs or fetch files."""
SEVERAL = ("TIFF", "GIF", "WEBP", "PNG")
"""Formats whose files may hold several pictures, all meant to be seen."""
REMEDY = "convert it to a tiled pyramidal TIFF (vips tiffsave --tile --pyramid)"
MIRAX = ".mrxs"
ORIENTATION = 274
"""Tag that says how a viewer may turn an image; Pillow turns TIFFs by it, slide viewers do not."""
CONVERTED_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "La", "CMYK", "YCbCr"}


class ImageReader:
    """One image in memory, read like a slide of one level."""

    def __init__(self, pixels: NDArray[np.uint8], description: SlideDescription) -> None:
        self.description = description
        self._pixels = pixels

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3); outside the image it is white."""
        del level  # there is only one
        block = np.full((size.height, size.width, 3), WHITE, np.uint8)
        paste(self._pixels, block, round(left), round(top))
        return block

    def close(self) -> None:
        """Release the pixels."""
        self._pixels = np.empty((0, 0, 3), np.uint8)


def paste(source: NDArray[np.uint8], block: NDArray[np.uint8], left: int, top: int) -> None:
    """Copy the part of a source that lies in a block into it; (left, top) is the block's corner.

    Convention: (H, W, ...) arrays; positions are pixels of the source, from its corner.
    """
    shown = Rectangle(left, top, Size(block.shape[1], block.shape[0])).clipped(
        Size(source.shape[1], source.shape[0])
    )
    if not shown.is_empty:
        block[shown.seen_from(left, top).slices] = source[shown.slices]


def open_image(probe: Probe) -> ImageReader | None:
    """Return an image that Pillow reads, None if Pillow does not know the format.

    Raises
    ------
    UnreadableSlideError
        If the file is damaged, the image is too large for the memory, or its pixels are not 8-bit
        grey or colour.
    UnsuitableSlideError
        If the file holds several images that may be meant.
    """
    if probe.is_folder:
        return None
    path = probe.file
    if path.suffix.lower() == MIRAX:
        raise UnreadableSlideError(
            f"{path} is only the small picture of a MIRAX slide; the slide is in the folder"
            f" {path.stem} beside it, which is missing or incomplete; copy it again from its source"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compare_checksums(path)
            with Image.open(path, formats=FORMATS) as image:
                others = _choose_frame(probe, image)
                turned = image.getexif().get(ORIENTATION, 1) if image.format == "TIFF" else 1
                _check(path, image)
                pixels = _as_stored(to_rgb(image), turned)
                return ImageReader(pixels, _describe(image, Size(*pixels.shape[1::-1]), others))
    except UnidentifiedImageError:
        return None
    except Image.DecompressionBombError:
        raise too_large(path) from None
    except MemoryError:  # also where a damaged header asks for it
        raise UnreadableSlideError(
            f"{path} is damaged or needs more memory than available; copy it again from its source,"
            f" or {REMEDY}"
        ) from None
    except (UnreadableSlideError, UnsuitableSlideError):
        raise
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise UnreadableSlideError(
            f"{path} cannot be decoded ({error}); copy it again from its source"
        ) from None


def compare_checksums(path: Path) -> None:
    """Raise what Pillow raises for damage if a PNG differs from its checksums.

    Pillow does not compare those of the pixels when it decodes them.
    """
    with Image.open(path, formats=FORMATS) as image:
        image.verify()


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Return an image as RGB over white, (H, W, 3)."""
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(STRIP // image.width, 1)
    image.load()
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        pixels[top : top + rows] = _strip_to_rgb(strip)
    return pixels


def _as_stored(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Return the pixels of an image that Pillow turned in the order in which the file stores them.

    Convention: (H, W, 3); the orientation is that of TIFF 6.0.
    """
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    down = -1 if orientation in (3, 4, 6, 7) else 1
    across = -1 if orientation in (2, 3, 7, 8) else 1
    return np.ascontiguousarray(pixels[::down, ::across])


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


def _choose_frame(probe: Probe, image: Image.Image) -> tuple[str, ...]:
    """Go to the largest image of a TIFF, and return the names of the others."""
    frames = getattr(image, "n_frames", 1)
    if frames == 1 or image.format not in SEVERAL:
        check_only_scene(probe.file, probe.scene)
        return ()
    if image.format != "TIFF" or probe.tiff is None:
        raise UnsuitableSlideError(
            f"{probe.file} holds {frames} pictures; expected one; convert the one to analyse to a"
            " file of its own"
        )
    main, others = choose_image(probe.file, images_of_pages(probe.tiff), probe.scene)
    image.seek(main.number)
    return others


def _describe(image: Image.Image, size: Size, others: tuple[str, ...]) -> SlideDescription:
    dpi = image.info.get("dpi")
    return SlideDescription(
        format=image.format or "image",
        levels=(Level(0, size, 1.0, aligned=True),),
        bounds_l0=Rectangle.whole(size),
        tags_mpp=mpp_from_resolution(float(dpi[0]), float(dpi[1]), "inch") if dpi else None,
        icc_profile=image.info.get("icc_profile") or b"",
        other_images=others,
    )


def _check(path: Path, image: Image.Image) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise too_large(path)
    if image.mode not in CONVERTED_MODES:
        raise UnreadableSlideError(
            f"{path} has pixels of mode {image.mode}; expected 8-bit RGB or grey; convert it to"
            " 8-bit RGB"
        )
