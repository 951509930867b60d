"""The instances of a DICOM slide, one or more a level, to which a segmentation refers."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.errors import DAMAGE, UsageError
from lds_path.geometry import Size
from lds_path.slides.companions import find_local_files
from lds_path.slides.dicom_header import read_series

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydicom import Dataset

_WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
_NEEDED = ("StudyInstanceUID", "FrameOfReferenceUID", "ImageOrientationSlide")
_MAY_BE_EMPTY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID",
    "StudyDate", "StudyTime",
)  # fmt: skip
"""What every image states, if only as an empty value (type 2); some converters leave it out."""


@dataclass(frozen=True)
class SourceLevel:
    """A level of a slide."""

    file: Path
    """Of the first instance."""
    instances: tuple[Dataset, ...]
    """Without their pixels; several where a level is a concatenation."""
    size: Size
    tile: Size
    downsample: tuple[float, float]
    """Level-0 pixels per pixel, along x and y."""


@contextmanager
def unchecked_values() -> Iterator[None]:
    """Take the values of a slide as they are, within the block: it is not for us to judge them."""
    from pydicom.config import IGNORE, settings

    modes = settings.reading_validation_mode, settings.writing_validation_mode
    settings.reading_validation_mode = settings.writing_validation_mode = IGNORE
    try:
        yield
    finally:
        settings.reading_validation_mode, settings.writing_validation_mode = modes


def read_source_levels(slide: Path) -> list[SourceLevel]:
    """Return the levels of a DICOM slide, from the finest.

    Parameters
    ----------
    slide
        One of its files.

    Raises
    ------
    UsageError
        If it is no DICOM slide, or cannot be read.
    """
    if not read_series(slide):
        raise UsageError(
            f"{slide} is no DICOM slide, and a DICOM segmentation refers to one; the label image of"
            " other slides is the OME-TIFF in stitch/"
        )
    by_size: dict[Size, list[tuple[Path, Dataset]]] = {}
    for file in find_local_files(slide):
        header = _read_header(file)
        if header.get("SOPClassUID") == _WHOLE_SLIDE and _is_of_slide(header):
            size = Size(header.TotalPixelMatrixColumns, header.TotalPixelMatrixRows)
            by_size.setdefault(size, []).append((file, header))
    if not by_size:
        raise UsageError(f"{slide} has no whole-slide image (ImageType VOLUME) to refer to")
    sizes = sorted(by_size, key=lambda size: size.area, reverse=True)
    return [_make_level(size, by_size[size], full=sizes[0]) for size in sizes]


def choose_level(levels: list[SourceLevel], downsample: float, level: int | None) -> SourceLevel:
    """Return the level whose pixels are nearest to a size, of two the finer; or the one asked for.

    Raises
    ------
    UsageError
        If there is no such level.
    """
    if level is None:
        distances = [abs(math.log(item.downsample[0] / downsample)) for item in levels]
        return levels[distances.index(min(distances))]
    if not 0 <= level < len(levels):
        sizes = ", ".join(f"{item.size.width} x {item.size.height}" for item in levels)
        raise UsageError(f"the slide has no level {level}; its levels, from 0, are {sizes}")
    return levels[level]


def complete_header(level: SourceLevel) -> Dataset:
    """Return the first instance of a level with what an image of a slide has to state.

    Values that may be empty are. Where converters leave it out, the origin of the pixel matrix is
    (0, 0), as viewers take it, and the slice as thick as a pixel is wide.

    Raises
    ------
    UsageError
        If it does not state where it lies on the glass, or the size of its pixels.
    """
    from pydicom import Dataset

    header = level.instances[0]
    shared = header.get("SharedFunctionalGroupsSequence") or [Dataset()]
    measures = (shared[0].get("PixelMeasuresSequence") or [Dataset()])[0]
    stated = {name: header.get(name) for name in _NEEDED}
    stated["PixelSpacing"] = measures.get("PixelSpacing")
    for keyword, value in stated.items():
        if not value:
            raise UsageError(
                f"{level.file} states no {keyword}, which its segmentation has to repeat; add it to"
                " the files of the slide"
            )
    if "SliceThickness" not in measures:
        measures.SliceThickness = measures.PixelSpacing[0]
    for keyword in _MAY_BE_EMPTY:
        if keyword not in header:
            setattr(header, keyword, None)
    if not header.get("TotalPixelMatrixOriginSequence"):
        origin = Dataset()
        origin.XOffsetInSlideCoordinateSystem = origin.YOffsetInSlideCoordinateSystem = 0.0
        header.TotalPixelMatrixOriginSequence = [origin]
    return header


def _read_header(file: Path) -> Dataset:
    from pydicom import dcmread

    try:
        return dcmread(file, stop_before_pixels=True)
    except DAMAGE as error:
        raise UsageError(f"{file} cannot be read as DICOM ({error})") from None


def _is_of_slide(header: Dataset) -> bool:
    """Return whether an instance is a level, and not the label or the overview of the glass."""
    is_tiled = "TotalPixelMatrixColumns" in header and "TotalPixelMatrixRows" in header
    return is_tiled and "VOLUME" in header.get("ImageType", ())


def _make_level(size: Size, found: list[tuple[Path, Dataset]], *, full: Size) -> SourceLevel:
    """Return a level from its instances, the one with its first frames first."""
    found = sorted(found, key=lambda item: int(item[1].get("ConcatenationFrameOffsetNumber", 0)))
    file, first = found[0]
    instances = tuple(header for _, header in found)
    downsample = full.width / size.width, full.height / size.height
    return SourceLevel(file, instances, size, Size(first.Columns, first.Rows), downsample)
