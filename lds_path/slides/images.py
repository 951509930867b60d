"""The images in a file: which one is the slide, and what lies beside it.

A file may hold a label, a photograph of the glass or another scan, before the slide or after it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lds_path.errors import UnsuitableSlideError
from lds_path.geometry import Size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import tifffile

RIVAL_SHARE = 0.5
"""An image with this share of the largest one's pixels may be meant as well."""
PLANES = {"C": "channels", "Z": "focal planes", "T": "points in time"}
REDUCED = 1
"""Flag of NewSubfileType: a level of another image."""
NAME_LENGTH = 40
SAVE_ONE = (
    "save the image to analyse as a file of its own (vips copy 'FILE[page=N]', bfconvert -series)"
)


@dataclass(frozen=True)
class SlideImage:
    """One image, without its levels."""

    name: str
    """As the file names it, and its size."""
    size: Size
    content: Any
    """A page or a series of tifffile, or an image of OME-Zarr."""


def images_of_pages(file: tifffile.TiffFile) -> list[SlideImage]:
    """Return the pages of a TIFF that are not marked as levels of another one."""
    return [
        _image(f"page {number}", page, page)
        for number, page in enumerate(file.pages)
        if not is_reduced(page)
    ]


def images_of_series(file: tifffile.TiffFile) -> list[SlideImage]:
    """Return the series of pages that tifffile finds in a TIFF."""
    images = [
        _image(series.name or f"image {number}", series.keyframe, series)
        for number, series in enumerate(file.series)
    ]
    return [image for image in images if not is_reduced(image.content.keyframe)] or images[:1]


def choose_image(path: Path, images: Sequence[SlideImage]) -> tuple[SlideImage, tuple[str, ...]]:
    """Return the largest image, and the names of the others.

    Raises
    ------
    UnsuitableSlideError
        If others are about as large, so that any of them may be meant.
    """
    main = max(images, key=lambda image: image.size.area)
    others = [image for image in images if image is not main]
    rivals = [image for image in others if image.size.area >= RIVAL_SHARE * main.size.area]
    if rivals:
        names = [image.name for image in (main, *rivals)]
        listed = ", ".join(names[:4]) + (", ..." if len(names) > 4 else "")
        raise UnsuitableSlideError(
            f"{path} holds {len(names)} images of about one size ({listed}), such as focal planes,"
            f" channels or several scans; expected one; {SAVE_ONE}"
        )
    return main, tuple(image.name for image in others if not is_level_of(image.size, main.size))


def is_level_of(size: Size, full: Size) -> bool:
    """Return whether a size is that of another image, reduced: to a pixel or two per cent."""
    if not size.area:
        return True
    x, y = full.width / size.width, full.height / size.height
    ranges = [
        (length / (reduced + 1), length / max(reduced - 1, 0.5))
        for length, reduced in ((full.width, size.width), (full.height, size.height))
    ]
    overlap = max(low for low, _ in ranges) <= min(high for _, high in ranges)
    return overlap or math.isclose(x, y, rel_tol=0.02)


def is_reduced(page: Any) -> bool:  # noqa: ANN401 - a tifffile page
    """Return whether a page is marked as a level of another image."""
    return bool(page.keyframe.subfiletype & REDUCED)


def check_single_plane(path: Path, series: Any) -> None:  # noqa: ANN401 - tifffile's series
    """Refuse a series of several focal planes, points in time or pages of one size.

    Raises
    ------
    UnsuitableSlideError
        If there are any, or channels in a file that does not say which colours they are; those of
        OME-XML are left to the reader.
    """
    known = "CYXS" if series.kind == "ome" else "YXS"
    axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    for axis, length in zip(axes, shape, strict=True):
        if axis not in known and length > 1:
            what = PLANES.get(axis, "pages of one size")
            raise UnsuitableSlideError(f"{path} holds {length} {what}; expected one; {SAVE_ONE}")
    pages = len(series.pages)
    if pages > 1 and series.keyframe.samplesperpixel > 1:
        raise UnsuitableSlideError(
            f"{path} holds {pages} images of one size, such as focal planes; expected one; {SAVE_ONE}"
        )


def _image(name: str, page: Any, content: Any) -> SlideImage:  # noqa: ANN401 - of tifffile
    size = Size(int(page.imagewidth), int(page.imagelength))
    title = str(page.description).partition("\n")[0].strip()
    if name.startswith(("page ", "image ")) and title and not title.startswith(("<", "{")):
        name = f"{name} '{title[:NAME_LENGTH]}'"
    return SlideImage(f"{' '.join(name.split())}: {size.width} x {size.height}", size, content)
