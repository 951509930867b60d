"""Small DICOM slides as OpenSlide reads them: one file per instance, tiles in JPEG, TILED_FULL."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import UID, JPEGBaseline8Bit, generate_uid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from numpy.typing import NDArray

_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""SOP class of a whole-slide image."""


def write_instance(
    path: Path,
    pixels: NDArray[np.uint8],
    mpp: float | None,
    series: str,
    *,
    tile: int = 128,
    photometric: str = "YBR_FULL_422",
    focal_planes: int = 1,
    part: tuple[str, int, int] | None = None,
    frames: Iterable[int] | None = None,
    syntax: str = JPEGBaseline8Bit,
    encode: Callable[[NDArray[np.uint8]], bytes] | None = None,
) -> None:
    """Write one level of a slide as an instance of a series.

    Parameters
    ----------
    pixels
        RGB, (H, W, 3).
    mpp
        Microns per pixel; None leaves them out.
    series
        UID that the levels of a slide share, see `new_uid`.
    part
        For an instance of several that hold one level: the UID they share, number and count.
    frames
        The tiles that such a part holds; all if not given.
    syntax, encode
        Transfer syntax, and what compresses a tile so; JPEG if not given.
    """
    encode = encode or to_jpeg
    tiles = list(_tiles(pixels, tile))
    chosen = list(range(len(tiles)) if frames is None else frames)
    dataset = _dataset(path, series)
    dataset.TotalPixelMatrixRows, dataset.TotalPixelMatrixColumns = pixels.shape[:2]
    dataset.Rows = dataset.Columns = tile
    dataset.NumberOfFrames = len(chosen)
    dataset.TotalPixelMatrixFocalPlanes = focal_planes
    dataset.PhotometricInterpretation = photometric
    dataset.file_meta.TransferSyntaxUID = UID(syntax)
    if mpp is not None:
        measures, shared = Dataset(), Dataset()
        measures.PixelSpacing = [f"{mpp / 1000:.8g}"] * 2
        shared.PixelMeasuresSequence = Sequence([measures])
        dataset.SharedFunctionalGroupsSequence = Sequence([shared])
        dataset.ImagedVolumeHeight, dataset.ImagedVolumeWidth = (
            side * mpp / 1000 for side in pixels.shape[:2]
        )
        dataset.ImagedVolumeDepth = 1.0
    if part is not None:
        (
            dataset.ConcatenationUID,
            dataset.InConcatenationNumber,
            dataset.InConcatenationTotalNumber,
        ) = part
        dataset.ConcatenationFrameOffsetNumber = chosen[0]
    dataset.PixelData = encapsulate([encode(tiles[number]) for number in chosen])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)


def place_on_glass(path: Path) -> None:
    """Add to an instance of a slide what viewers need: whose it is, and where on the glass it lies.

    All levels of a series share a study and a frame of reference.
    """
    dataset = dcmread(path)
    series = str(dataset.SeriesInstanceUID)
    dataset.StudyInstanceUID = generate_uid(entropy_srcs=["study", series])
    dataset.FrameOfReferenceUID = generate_uid(entropy_srcs=["frame", series])
    dataset.PatientID, dataset.PatientName = "case-1", "Müller^Jörg"
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.ImageOrientationSlide = [0, -1, 0, -1, 0, 0]
    origin = Dataset()
    origin.XOffsetInSlideCoordinateSystem, origin.YOffsetInSlideCoordinateSystem = 20.0, 40.0
    dataset.TotalPixelMatrixOriginSequence = Sequence([origin])
    dataset.save_as(path, enforce_file_format=True)


def new_uid() -> str:
    """Return an identifier that no other data set has."""
    return str(generate_uid())


def to_jpeg(pixels: NDArray[np.uint8], *, subsampling: int = 0) -> bytes:
    """Return pixels, (H, W, 3), as JPEG in YCbCr."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=92, subsampling=subsampling)
    return stream.getvalue()


def _tiles(pixels: NDArray[np.uint8], tile: int) -> Iterable[NDArray[np.uint8]]:
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % tile), (0, -width % tile), (0, 0)), mode="edge")
    for top in range(0, height, tile):
        for left in range(0, width, tile):
            yield padded[top : top + tile, left : left + tile]


def _dataset(path: Path, series: str) -> FileDataset:
    """Return what every instance states, whatever its pixels."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = _SLIDE, generate_uid()
    meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset = FileDataset(str(path), {}, file_meta=meta, preamble=bytes(128))
    dataset.SOPClassUID, dataset.SOPInstanceUID = _SLIDE, meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = generate_uid(), series
    dataset.Modality, dataset.ImageType = "SM", ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    dataset.DimensionOrganizationType = "TILED_FULL"
    dataset.NumberOfOpticalPaths = 1
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation = 7, 0
    optics = Dataset()
    optics.OpticalPathIdentifier, optics.ObjectiveLensPower = "0", 20
    dataset.OpticalPathSequence = Sequence([optics])
    return dataset
