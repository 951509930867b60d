"""A label image as a DICOM segmentation (SEG) that refers to a level of its DICOM slide.

A segment is a class. The pixels are those of the level, so that any viewer lays the segments over
the slide: a pixel has the label at its centre. Frames are the tiles of the level; of each class
only those that show it (TILED_SPARSE, one bit a pixel).
"""

from __future__ import annotations

import hashlib
import math
import tempfile
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from tqdm import tqdm

from lds_path import __version__
from lds_path.errors import UsageError
from lds_path.geometry import Rectangle, Size
from lds_path.objects.converted.dicom_source import (
    choose_level,
    complete_header,
    read_source_levels,
    unchecked_values,
)
from lds_path.provenance.complete_file import complete_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from highdicom.seg import SegmentDescription
    from numpy.typing import NDArray
    from pydicom import Dataset

    from lds_path.classes import LabelClass
    from lds_path.formats.labels.label_images import Labels
    from lds_path.geometry import Frame
    from lds_path.objects.converted.dicom_source import SourceLevel

MAX_TILES = 65_536
"""Of a level; highdicom holds a description of each, and of each frame, in memory, up to 10 kB."""
MAX_BYTES = 2**30
"""Of the frames, which highdicom holds in memory, and then once more in one piece."""
KNOWN_TYPES = {
    "adipose tissue": ("Tissue", "AdiposeTissue"),
    "connective tissue": ("Tissue", "ConnectiveTissue"),
    "fat": ("Tissue", "AdiposeTissue"),
    "kidney": ("AnatomicalStructure", "Kidney"),
    "necrosis": ("MorphologicallyAbnormalStructure", "Necrosis"),
    "tissue": ("Tissue", "Tissue"),
    "tumor": ("MorphologicallyAbnormalStructure", "Neoplasm"),
    "tumour": ("MorphologicallyAbnormalStructure", "Neoplasm"),
}
"""Name of a class -> category and type, by pydicom's names of SNOMED CT."""
_SERIES_NUMBER = 1
OWN_SCHEME = "99LDSPATH"
"""Of other classes: their own names, as tissue."""


def check_highdicom() -> None:
    """Raise a `UsageError` unless highdicom is installed."""
    if find_spec("highdicom") is None:
        raise UsageError(
            "a DICOM segmentation needs the package highdicom, which is not installed; run pip"
            ' install "lds-path[dicom]", or pip install highdicom'
        )


def write_dicom_seg(
    path: Path,
    labels: Labels,
    slide: Path,
    *,
    size_l0: Size,
    frame: Frame,
    model: str,
    level: int | None = None,
) -> None:
    """Write a label image as a segmentation of its slide.

    Parameters
    ----------
    path
        File to write; complete or absent.
    labels
        The label image.
    slide
        A file of the DICOM slide.
    size_l0
        Size of the slide that was analysed.
    frame
        Where the label pixels lie on the slide.
    model
        Name of what made the labels.
    level
        Of the slide, 0 the finest; the one nearest to the labels when not given.

    Raises
    ------
    UsageError
        If highdicom is missing, the file exists, the slide is no DICOM, another one, or has no such
        level, or the level is too large to be converted in memory.
    """
    check_highdicom()
    if path.exists() or not path.parent.is_dir():
        found = "exists already" if path.exists() else "lies in no folder that exists"
        raise UsageError(f"{path} {found}; name a new file")
    with unchecked_values():
        levels = read_source_levels(slide)
        _check_size(levels[0].size, size_l0, slide)
        source = choose_level(levels, frame.downsample, level)
        _check_tiles(source)
        header = complete_header(source)
        with _label_matrix(path, labels, source, frame) as matrix:
            segmentation = _make_segmentation(header, source, matrix, labels.classes, model)
        with complete_file(path) as partial:
            segmentation.save_as(partial)


def nearest_pixels(count: int, downsample: float, start: float, step: float) -> NDArray[np.int64]:
    """Return in which pixel of one axis the centres of another axis's pixels lie.

    Convention: pixels are areas; both axes count level-0 pixels.

    Parameters
    ----------
    count, downsample
        Pixels of the axis whose centres are looked for, and their size in level-0 pixels.
    start, step
        Where the other axis begins, and the size of its pixels.
    """
    centres_l0 = (np.arange(count) + 0.5) * downsample
    nearest: NDArray[np.int64] = np.floor((centres_l0 - start) / step).astype(np.int64)
    return nearest


def _check_size(found: Size, expected: Size, slide: Path) -> None:
    if found != expected:
        raise UsageError(
            f"{slide} is {found.width} x {found.height}, and the slide that was analysed is"
            f" {expected.width} x {expected.height}; name the same slide, with all its levels"
        )


def _check_tiles(source: SourceLevel) -> None:
    tiles = Rectangle.whole(source.size).cells(source.tile)
    if (count := sum(1 for _ in tiles)) > MAX_TILES:
        _refuse(source, f"{count} tiles, more than the {MAX_TILES} that fit in memory")


def _refuse(source: SourceLevel, reason: str) -> NoReturn:
    raise UsageError(
        f"{source.file}, {source.size.width} x {source.size.height}, has {reason}; take a coarser"
        " level of the slide by level (--level)"
    )


@contextmanager
def _label_matrix(
    path: Path, labels: Labels, source: SourceLevel, frame: Frame
) -> Iterator[NDArray[np.uint8]]:
    """Yield the segment numbers of all pixels of a level, in an unnamed file beside the result."""
    numbers = np.zeros(256, np.uint8)
    for number, item in enumerate(labels.classes, start=1):
        numbers[item.value] = number
    shape = source.size.height, source.size.width
    with tempfile.TemporaryFile(dir=path.parent) as stream:
        matrix: NDArray[np.uint8] = np.memmap(stream, np.uint8, "w+", shape=shape)
        frames = 0
        for window, strip in _read_strips(labels, source, frame):
            segments = numbers[strip]
            frames += _count_frames(segments, source.tile.width)
            if segments.any():  # else the file has a hole there
                matrix[window.slices] = segments
        if not frames:
            raise UsageError(f"{labels.path} has no pixel of a class; there is nothing to convert")
        if frames * source.tile.area // 8 > MAX_BYTES:
            _refuse(source, f"{frames} frames, more than the {MAX_BYTES >> 20} MiB of memory allow")
        yield matrix


def _read_strips(
    labels: Labels, source: SourceLevel, frame: Frame
) -> Iterator[tuple[Rectangle, NDArray[np.uint8]]]:
    """Yield the labels of a level, a row of tiles at a time, read where they are as coarse."""
    ratio = min(source.downsample) / frame.downsample
    level = min(max(int(math.log2(ratio) + 0.01), 0), labels.level_count - 1)
    step, size = frame.downsample * 2**level, source.size
    columns = nearest_pixels(size.width, source.downsample[0], frame.left_l0, step)
    rows = nearest_pixels(size.height, source.downsample[1], frame.top_l0, step)
    left, width = int(columns[0]), int(columns[-1] - columns[0]) + 1
    for top in tqdm(
        range(0, size.height, source.tile.height), unit="row", desc="dicom-seg", disable=None
    ):
        shown = rows[top : top + source.tile.height]
        first, height = int(shown[0]), int(shown[-1] - shown[0]) + 1
        strip = labels.read(level, left, first, Size(width, height))
        window = Rectangle(0, top, Size(size.width, len(shown)))
        yield window, strip[(shown - first)[:, None], (columns - left)[None, :]]


def _count_frames(segments: NDArray[np.uint8], tile: int) -> int:
    """Return in how many tiles of a row each class is, together."""
    edges = np.arange(0, segments.shape[1], tile)
    present = (np.flatnonzero(np.bincount(segments.ravel(), minlength=1)[1:]) + 1).tolist()
    found = [np.logical_or.reduceat((segments == number).any(0), edges) for number in present]
    return sum(int(tiles.sum()) for tiles in found)


def _make_segmentation(
    header: Dataset,
    source: SourceLevel,
    matrix: NDArray[np.uint8],
    classes: Sequence[LabelClass],
    model: str,
) -> Dataset:
    """Return the segmentation; what highdicom cannot do with a slide is its user's to mend."""
    from highdicom.seg import Segmentation, SegmentationTypeValues

    uids = _make_uids(header, matrix, classes)
    try:
        return Segmentation(
            source_images=[header],
            further_source_images=source.instances[1:],
            pixel_array=matrix,
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=[
                _describe(number, item, model) for number, item in enumerate(classes, start=1)
            ],
            series_instance_uid=uids[0],
            series_number=_SERIES_NUMBER,
            sop_instance_uid=uids[1],
            instance_number=1,
            manufacturer="lds-path",
            manufacturer_model_name="lds-path",
            software_versions=__version__,
            device_serial_number="none",
            content_label="LABELS",
            content_description=f"classes of the model {model}"[:64],
            series_description="Segmentation by lds-path",
            specific_character_set="ISO_IR 192",  # UTF-8, for the names of classes
            tile_pixel_array=True,
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UsageError(
            f"highdicom can make no segmentation of {source.file}: {' '.join(str(error).split())}"
        ) from None


def _make_uids(
    header: Dataset, matrix: NDArray[np.uint8], classes: Sequence[LabelClass]
) -> list[str]:
    """Return the identifiers of series and instance; the same labels have the same."""
    from pydicom.uid import generate_uid

    digest = hashlib.sha256(repr(classes).encode())
    for row in matrix:
        digest.update(row)
    content = [header.SOPInstanceUID, __version__, digest.hexdigest()]
    return [generate_uid(entropy_srcs=[kind, *content]) for kind in ("series", "instance")]


def _describe(number: int, item: LabelClass, model: str) -> SegmentDescription:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription
    from pydicom.sr.codedict import codes
    from pydicom.sr.coding import Code

    category, kind = KNOWN_TYPES.get(item.name.lower(), ("Tissue", ""))
    own = Code(_code_of(item.name), OWN_SCHEME, item.name[:64])
    return SegmentDescription(
        segment_number=number,
        segment_label=item.name[:64],
        segmented_property_category=getattr(codes.SCT, category),
        segmented_property_type=getattr(codes.SCT, kind) if kind else own,
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=f"lds-path {model}"[:64],
            family=codes.DCM.ArtificialIntelligence,
            version=__version__,
        ),
        display_color=CIELabColor.from_rgb(*item.color),
    )


def _code_of(name: str) -> str:
    """Return a name as a code, which has 16 characters at most."""
    return name if len(name) <= 16 else hashlib.sha256(name.encode()).hexdigest()[:16]
