"""The images in a file: which one is the slide, and what lies beside it.

A file may hold a label, a photograph of the glass or another scan, before the slide or after it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice, takewhile
from typing import TYPE_CHECKING, Any

from lds_path.errors import UnsuitableSlideError
from lds_path.geometry import Size

if TYPE_CHECKING:
    from collections.abc import Sequence

    import tifffile

    from lds_path.remote.address import SlidePath

RIVAL_SHARE = 0.5
"""An image with this share of the largest one's pixels may be meant as well."""
PLANES = {"C": "channels", "Z": "focal planes", "T": "points in time"}
REDUCED = 1
"""Flag of NewSubfileType: a level of another image."""
NAME_LENGTH = 40
MAX_NAMED = 8
SAVE_ONE = (
    "save the image to analyse as a file of its own (vips copy 'FILE[page=N]', bfconvert -series)"
)
NAME_ONE = (
    "name one in the column 'scene', by its number or name, and each of several in a row of its own"
)


@dataclass(frozen=True)
class SlideImage:
    """One image, without its levels."""

    number: int
    """As the file counts them, from 0."""
    title: str
    """As the file names it; may be empty."""
    size: Size
    content: Any
    """A page or a series of tifffile, or an image of OME-Zarr."""
    kind: str = "image"
    """What the number counts."""

    @property
    def name(self) -> str:
        """Number, name and size, for people."""
        title = f" '{self.title}'" if self.title else ""
        return f"{self.kind} {self.number}{title}: {self.size.width} x {self.size.height}"


def images_of_pages(file: tifffile.TiffFile) -> list[SlideImage]:
    """Return the pages of a TIFF that are not marked as levels of another one."""
    return [
        SlideImage(number, _title(page), _size(page), page, kind="page")
        for number, page in enumerate(file.pages)
        if not is_reduced(page)
    ]


def images_of_series(file: tifffile.TiffFile) -> list[SlideImage]:
    """Return the series of pages that tifffile finds in a TIFF."""
    images = [
        SlideImage(
            number, _plain(series.name) or _title(series.keyframe), _size(series.keyframe), series
        )
        for number, series in enumerate(file.series)
    ]
    return [image for image in images if not is_reduced(image.content.keyframe)] or images[:1]


def levels_of_page(file: tifffile.TiffFile, number: int) -> list[Any]:
    """Return a page, and those that are marked as levels of it: its SubIFDs, and what follows it."""
    page: Any = file.pages[number]
    following = takewhile(is_reduced, islice(file.pages, number + 1, None))
    return [page, *(page.pages or ()), *following]


def choose_image(
    path: SlidePath, images: Sequence[SlideImage], scene: str = ""
) -> tuple[SlideImage, tuple[str, ...]]:
    """Return the image that is named, else the largest one, and the names of the others.

    Parameters
    ----------
    path
        The file, for the messages.
    images
        Those in it.
    scene
        Number or name of one of them. The others are then meant to be analysed elsewhere, and are
        not named.

    Raises
    ------
    UnsuitableSlideError
        If none has that name, or several have; or if none is named and others are about as large
        as the largest one.
    """
    if scene:
        return _find_scene(path, images, scene), ()
    main = max(images, key=lambda image: image.size.area)
    others = [image for image in images if image is not main]
    rivals = [image for image in others if image.size.area >= RIVAL_SHARE * main.size.area]
    if rivals:
        listed = _list_names([main, *rivals])
        raise UnsuitableSlideError(
            f"{path} holds {len(rivals) + 1} images of about one size ({listed}), such as focal"
            f" planes, channels or several scans; expected one; {NAME_ONE}"
        )
    return main, tuple(image.name for image in others if not is_level_of(image.size, main.size))


def check_only_scene(path: SlidePath, scene: str) -> None:
    """Refuse a scene of a file that is read as one image.

    Raises
    ------
    UnsuitableSlideError
        If one is named that is not the first.
    """
    if scene not in ("", "0"):
        raise UnsuitableSlideError(
            f"{path} is read as one image, and has no scene '{scene}'; clear the column 'scene', or"
            " convert the scene to a file of its own"
        )


def _find_scene(path: SlidePath, images: Sequence[SlideImage], scene: str) -> SlideImage:
    """Return the image with a number, else with a name, whatever its capitals."""
    found = [image for image in images if str(image.number) == scene]
    found = found or [image for image in images if image.title.casefold() == scene.casefold()]
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} scenes" if found else "no scene"
    raise UnsuitableSlideError(
        f"{path} has {what} '{scene}', but {_list_names(images)}; name one by its number in the column"
        " 'scene'"
    )


def _list_names(images: Sequence[SlideImage]) -> str:
    names = [image.name for image in images[:MAX_NAMED]]
    return ", ".join(names) + (", ..." if len(images) > MAX_NAMED else "")


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


def check_single_plane(path: SlidePath, series: Any) -> None:  # noqa: ANN401 - tifffile's series
    """Refuse a series of several focal planes, points in time or pages of one size.

    Raises
    ------
    UnsuitableSlideError
        If there are any, or channels in a file that does not say which colours they are; those of
        OME-XML are left to the reader.
    """
    known = "CYXS" if series.kind == "ome" else "YXS"
    remedy = SAVE_ONE if series.kind == "ome" else NAME_ONE
    axes, shape = series.get_axes(squeeze=False), series.get_shape(squeeze=False)
    for axis, length in zip(axes, shape, strict=True):
        if axis not in known and length > 1:
            what = PLANES.get(axis, "pages of one size")
            raise UnsuitableSlideError(f"{path} holds {length} {what}; expected one; {remedy}")
    pages = len(series.pages)
    if pages > 1 and series.keyframe.samplesperpixel > 1:
        raise UnsuitableSlideError(
            f"{path} holds {pages} images of one size, such as focal planes; expected one; {remedy}"
        )


def _size(page: Any) -> Size:  # noqa: ANN401 - a tifffile page
    return Size(int(page.imagewidth), int(page.imagelength))


def _title(page: Any) -> str:  # noqa: ANN401 - a tifffile page
    """Return the first line of a page's description, unless that is for programs."""
    title = _plain(str(page.description).strip().partition("\n")[0])
    return "" if title.startswith(("<", "{")) else title


def _plain(text: str) -> str:
    return " ".join(text.split())[:NAME_LENGTH]
