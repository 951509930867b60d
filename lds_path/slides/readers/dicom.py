"""DICOM slides in compressions that OpenSlide refuses, as wsidicom reads them: JPEG XL, JPEG-LS, HTJ2K.

It is imported where it is used, as few slides need it.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from lds_path.errors import UnreadableSlideError, UnsuitableSlideError, UsageError
from lds_path.geometry import Rectangle, Size
from lds_path.slides.companions import find_local_files, find_short_instance
from lds_path.slides.dicom_header import read_series
from lds_path.slides.reader import Level, SlideDescription
from lds_path.slides.readers.image import WHITE
from lds_path.slides.tiff_check import DECODE_ERRORS, unsuitable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.slides.probe import Probe


class DicomReader:
    """A slide that wsidicom reads; threads take turns."""

    def __init__(self, path: Path, slide: Any) -> None:  # noqa: ANN401 - of wsidicom
        self._path, self._slide, self._lock = path, slide, threading.Lock()
        self._numbers = [level.level for level in slide.levels]
        self.description = _describe(path, slide)

    def read(self, level: int, left: float, top: float, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle, (H, W, 3), white outside; raise UnreadableSlideError."""
        window = Rectangle(round(left), round(top), size)
        shown = window.clipped(self.description.levels[level].size)
        block = np.full((size.height, size.width, 3), WHITE, np.uint8)
        if shown.is_empty:
            return block
        extent = shown.size.width, shown.size.height
        try:
            with self._lock:
                image = self._slide.read_region(
                    (shown.left, shown.top), self._numbers[level], extent
                )
            pixels = np.asarray(image.convert("RGB"))
        except Exception as error:  # noqa: BLE001 - errors of wsidicom, pydicom and codecs
            raise _damaged(self._path, error) from None
        block[shown.seen_from(window.left, window.top).slices] = pixels
        return block

    def close(self) -> None:
        """Close the files."""
        self._slide.close()


def open_dicom(probe: Probe) -> DicomReader | None:
    """Return a DICOM slide, with the instances of its series; None for another file.

    Raises
    ------
    UnreadableSlideError
        If it is damaged, or its pixels are not 8-bit RGB.
    UsageError
        If the package is missing: the slide is not to blame, and is not quarantined.
    UnsuitableSlideError
        If it holds several focal planes or optical paths.
    """
    if probe.is_folder or not read_series(probe.file):
        return None
    path = probe.file
    short = find_short_instance(path)
    if short:
        raise UnreadableSlideError(
            f"{short} is damaged or cut short: it ends before its pixels, and may be a level of"
            f" {path}; copy it again from its source"
        )
    files = find_local_files(path)
    slide = _open(path, files)
    try:
        _check_use(path, slide, files)
        return DicomReader(path, slide)
    except BaseException:
        slide.close()
        raise


def _open(path: Path, files: Sequence[Path]) -> Any:  # noqa: ANN401 - of wsidicom
    try:
        from wsidicom import WsiDicom
    except ImportError:
        raise UsageError(
            f"{path} is DICOM in a compression that OpenSlide does not decode, and the package that"
            ' does is missing; pip install "lds-path[dicom]", or pip install wsidicom, or convert the'
            " slide to JPEG or JPEG 2000"
        ) from None
    try:
        return WsiDicom.open(files)
    except Exception as error:  # noqa: BLE001 - errors of wsidicom and pydicom
        raise _damaged(path, error) from None


def _check_use(path: Path, slide: Any, files: Sequence[Path]) -> None:  # noqa: ANN401 - of wsidicom
    """Refuse a slide of which files are passed over, as they state another study or frame."""
    from pydicom import dcmread

    used = {str(header.instance_uid) for level in slide.levels for header in level.datasets}
    for file in files:
        header = dcmread(file, stop_before_pixels=True)
        if "VOLUME" in header.ImageType and str(header.SOPInstanceUID) not in used:
            raise UnreadableSlideError(
                f"{file} is of the series of {path}, but does not belong to its slide (another study"
                " or size of tiles); move it to a folder of its own, or copy the"
                " slide again from its source"
            )


def _describe(path: Path, slide: Any) -> SlideDescription:  # noqa: ANN401 - of wsidicom
    from pydicom import dcmread

    full = slide.levels[0]
    planes, paths = len(full.focal_planes), len(full.optical_paths)
    if max(planes, paths) > 1:
        raise UnsuitableSlideError(
            f"{path} holds {planes} focal planes and {paths} optical paths; expected one of each;"
            " convert the one to analyse to a file of its own"
        )
    header = dcmread(path, stop_before_pixels=True)
    if (header.SamplesPerPixel, header.BitsAllocated) != (3, 8):
        raise unsuitable(
            path, f"{header.SamplesPerPixel} samples of {header.BitsAllocated} bits a pixel"
        )
    sizes = [Size(level.size.width, level.size.height) for level in slide.levels]
    factors = [(sizes[0].width / size.width + sizes[0].height / size.height) / 2 for size in sizes]
    optics = header.OpticalPathSequence[0] if "OpticalPathSequence" in header else {}
    try:
        mpp = (float(full.mpp.width), float(full.mpp.height))
    except DECODE_ERRORS:  # it states none
        mpp = None
    return SlideDescription(
        format="wsidicom DICOM",
        levels=tuple(
            Level(index, size, factor, aligned=True)
            for index, (size, factor) in enumerate(zip(sizes, factors, strict=True))
        ),
        bounds_l0=Rectangle.whole(sizes[0]),
        vendor="dicom",
        metadata_mpp=mpp,
        icc_profile=bytes(optics.get("ICCProfile", b"")),
    )


def _damaged(path: Path, error: BaseException) -> UnreadableSlideError:
    found = " ".join(f"{type(error).__name__} {error}".split())[:200]
    return UnreadableSlideError(f"{path} cannot be read ({found}); copy it again from its source")
