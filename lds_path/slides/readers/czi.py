"""CZI that OpenSlide refuses, as FastSlide reads it: with axes of Z or time of length one, or zstd.

FastSlide is asked for nothing else: its pixels of other formats are not everywhere those of OpenSlide
(docs/formats.md). It is imported where it is used, as few slides need it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lds_path.errors import UnreadableSlideError, UnsuitableSlideError, UsageError
from lds_path.geometry import Rectangle, Size
from lds_path.slides.images import SlideImage, choose_image
from lds_path.slides.reader import Level, SlideDescription
from lds_path.slides.readers.image import WHITE
from lds_path.slides.tiff_check import DECODE_ERRORS, unsuitable

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.slides.probe import Probe

MAGIC = b"ZISR"
"""First bytes of ZISRAWFILE."""


class CziReader:
    """The finest level of an image in a CZI; any thread may read."""

    def __init__(
        self,
        path: Path,
        slide: Any,  # noqa: ANN401 - of FastSlide
        view: Any,  # noqa: ANN401 - one of its images, which ends with it
        description: SlideDescription,
    ) -> None:
        self.description = description
        self._path, self._slide, self._view = path, slide, view

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3), white outside and where nothing was scanned.

        Raises
        ------
        UnreadableSlideError
            If a part of it cannot be decoded.
        """
        window = Rectangle(round(left), round(top), size)
        shown = window.clipped(self.description.levels[level].size)
        block = np.full((size.height, size.width, 3), WHITE, np.uint8)
        if not shown.is_empty:
            target = shown.seen_from(window.left, window.top).slices
            block[target] = _read(self._path, self._view, shown)
        return block

    def close(self) -> None:
        """Close the file."""
        self._slide.close()


def open_czi(probe: Probe) -> CziReader | None:
    """Return the largest image of a CZI, None for another file.

    Raises
    ------
    UnreadableSlideError
        If it is damaged, or its pixels are not 8-bit RGB.
    UsageError
        If the package is missing: the slide is not to blame, and is not quarantined.
    UnsuitableSlideError
        If it holds several images that may be meant, focal planes or points in time.
    """
    if probe.magic != MAGIC:
        return None
    path = probe.file
    slide = _open(path)
    images = [
        SlideImage(number, str(view.name), Size(*view.dimensions), view)
        for number, view in enumerate(slide.images)
    ]
    chosen, others = choose_image(path, images, probe.scene)
    view = chosen.content
    if max(view.z_count, view.t_count) > 1:
        raise UnsuitableSlideError(
            f"{path} holds {view.z_count} focal planes and {view.t_count} points in time; expected one"
            " of each; convert the one to analyse to a slide of its own"
        )
    if view.num_channels != 3:
        raise unsuitable(path, f"{view.num_channels} channels")
    _read(path, view, Rectangle.whole(Size(1, 1)))
    x, y = view.mpp
    description = SlideDescription(
        format="FastSlide CZI",
        levels=(Level(0, chosen.size, 1.0, aligned=True),),
        bounds_l0=Rectangle.whole(chosen.size),
        vendor="zeiss",
        metadata_mpp=(x, y) if x > 0 and y > 0 else None,
        image_number=chosen.number,
        other_images=others,
    )
    return CziReader(path, slide, view, description)


def _open(path: Path) -> Any:  # noqa: ANN401 - of FastSlide
    try:
        import fastslide
    except ImportError:
        raise UsageError(
            f"{path} is CZI of a kind that OpenSlide does not read, and the package that does is"
            ' missing; pip install "lds-path[czi]", or pip install fastslide, or convert the slide to'
            " OME-TIFF"
        ) from None
    try:
        return fastslide.FastSlide.from_file_path(path)
    except DECODE_ERRORS as error:
        raise _damaged(path, error) from None


def _read(path: Path, view: Any, place: Rectangle) -> NDArray[np.uint8]:  # noqa: ANN401 - as above
    try:
        image = view.read_region(
            (place.left, place.top), 0, (place.size.width, place.size.height)
        ).to_interleaved()
    except DECODE_ERRORS as error:
        raise _damaged(path, error) from None
    if image.dtype != "uint8":
        raise unsuitable(path, f"pixels of type {image.dtype}")
    return np.array(image.numpy())


def _damaged(path: Path, error: BaseException) -> UnreadableSlideError:
    found = " ".join(str(error).partition("\n")[0].split())[:200]
    return UnreadableSlideError(f"{path} is damaged ({found}); copy it again from its source")
