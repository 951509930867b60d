"""Any slide or plain image: its size, levels, microns per pixel, and fast reads of rectangles.

`READERS` lists the readers; `slides.reader` explains how to add one.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from lds_path.errors import UnreadableSlideError, UnsuitableSlideError
from lds_path.geometry import Rectangle, Size
from lds_path.remote.address import RemotePath
from lds_path.slides.levels import bounded_levels
from lds_path.slides.mpp import check_area, choose_mpp
from lds_path.slides.probe import probe
from lds_path.slides.reader import LostTilesError
from lds_path.slides.readers.aperio import open_aperio
from lds_path.slides.readers.colour_profile import ToSrgb
from lds_path.slides.readers.czi import open_czi
from lds_path.slides.readers.dicom import open_dicom
from lds_path.slides.readers.image import WHITE, open_image
from lds_path.slides.readers.own_tiles import open_vendor
from lds_path.slides.readers.tiff import (
    open_lone_ome_tiff,
    open_ome_tiff,
    open_plain_tiff,
    open_tiff,
)
from lds_path.slides.readers.zarr_store.reader import open_ome_zarr

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from lds_path.remote.address import SlidePath
    from lds_path.slides.probe import Probe
    from lds_path.slides.reader import SlideReader

REMOTE_READERS: tuple[Callable[[Probe], SlideReader | None], ...] = (
    open_ome_zarr,
    open_lone_ome_tiff,
    open_aperio,
    open_plain_tiff,
)
"""Those for a file on a server, of which only tiles or chunks are read."""
READERS: tuple[Callable[[Probe], SlideReader | None], ...] = (
    open_ome_zarr,
    open_ome_tiff,
    open_vendor,
    open_tiff,
    open_czi,
    open_dicom,
    open_image,
)
"""The first one that knows a file reads it."""
PIECES = (1024, 256)
"""Edges of the pieces in which a rectangle that cannot be read at once is read again."""
MAX_UNREADABLE_PERCENT = 20.0
STRAY = 35
"""Grey values by which a colour of glass, which is white, may differ from what was not scanned."""
MAX_STRAY_SHARE = 0.02
"""Share of pixels that compression and rounding may darken."""
MAX_PIXELS = 2**38
"""A slide of 25 x 75 mm at 0.1 um per pixel has fewer."""


class Slide:
    """A slide clipped to its bounds; any thread may read.

    Attributes
    ----------
    description
        What the file states about it.
    bounds_l0
        The part of the whole slide that it shows, in level-0 pixels.
    mpp, mpp_source
        Microns per level-0 pixel, and whether they come from sheet, metadata or tags.
    levels
        The usable levels, clipped to the bounds; those that are not aligned may be shifted by half
        a level-0 pixel.
    """

    def __init__(
        self,
        path: SlidePath,
        reader: SlideReader,
        *,
        mpp: float | None = None,
        max_unreadable_percent: float = MAX_UNREADABLE_PERCENT,
        to_srgb: bool = False,
    ) -> None:
        description = reader.description
        has_profile = to_srgb and bool(description.icc_profile)
        self._to_srgb = ToSrgb(path, description.icc_profile) if has_profile else None
        chosen = choose_mpp(
            path, sheet=mpp, metadata=description.metadata_mpp, tags=description.tags_mpp
        )
        self.path = path
        self.description = description
        self.mpp, self.mpp_source = chosen.value, chosen.source
        self.bounds_l0 = description.bounds_l0
        _check_pixels(path, self.size)
        check_area(path, self.size, chosen)
        self.levels = bounded_levels(description)
        self._reader = reader
        self._max_unreadable_percent = max_unreadable_percent
        self._unreadable: list[set[tuple[int, int]]] = [set() for _ in self.levels]
        self._lock = threading.Lock()

    @property
    def is_converted(self) -> bool:
        """Whether its colour profile is applied: its pixels are then sRGB."""
        return self._to_srgb is not None

    @property
    def size(self) -> Size:
        """Size of the bounds, in level-0 pixels."""
        return self.bounds_l0.size

    @property
    def unreadable_tiles(self) -> int:
        """Pieces of at most 256 x 256 pixels that could not be decoded and were read as white."""
        return sum(len(pieces) for pieces in self._unreadable)

    @property
    def unreadable_pieces(self) -> tuple[tuple[int, int, int], ...]:
        """Level, column and row of these pieces, sorted."""
        with self._lock:
            return tuple(
                (level, column, row)
                for level, pieces in enumerate(self._unreadable)
                for column, row in sorted(pieces)
            )

    def read_region(self, level: int, left: int, top: int, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle of a level; white outside the slide and where it is damaged.

        Parameters
        ----------
        level
            Index of the level in `levels`.
        left, top
            Corner in that level's pixels, from the bounds corner.
        size
            Extent in that level's pixels.

        Returns
        -------
        NDArray
            RGB, (H, W, 3), uint8; perhaps a read-only view.

        Raises
        ------
        UnreadableSlideError
            If more of the level turns out to be unreadable than the limit allows.
        """
        rectangle = Rectangle(left, top, size)
        try:
            return self._read(level, rectangle)
        except UnreadableSlideError:
            return self._read_pieces(level, rectangle, PIECES)

    def peek(self, level: int, rectangle: Rectangle) -> NDArray[np.uint8] | None:
        """Return a rectangle of a level, None if a part of it is unreadable, which is not counted."""
        try:
            return self._read(level, rectangle)
        except UnreadableSlideError:
            return None

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read(self, level: int, rectangle: Rectangle) -> NDArray[np.uint8]:
        source, bounds = self.levels[level], self.bounds_l0
        left = bounds.left / source.downsample + rectangle.left
        top = bounds.top / source.downsample + rectangle.top
        try:
            pixels = self._reader.read(source.index, left, top, rectangle.size)
        except LostTilesError as error:
            error.pixels = self._converted(error.pixels)
            raise
        return self._converted(pixels)

    def _converted(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return pixels if self._to_srgb is None else self._to_srgb(pixels)

    def _read_pieces(
        self, level: int, rectangle: Rectangle, edges: tuple[int, ...]
    ) -> NDArray[np.uint8]:
        """Return a rectangle read piece by piece, so that only damaged pieces stay white."""
        block = np.full((rectangle.size.height, rectangle.size.width, 3), WHITE, np.uint8)
        for piece in rectangle.pieces(edges[0]):
            try:
                pixels = self._read(level, piece)
            except UnreadableSlideError as error:
                if len(edges) > 1:
                    pixels = self._read_pieces(level, piece, edges[1:])
                elif isinstance(error, LostTilesError) and not self._was_scanned(
                    level, piece, error
                ):
                    pixels = error.pixels
                else:
                    self._note_unreadable(level, piece.left // edges[0], piece.top // edges[0])
                    if not isinstance(error, LostTilesError):
                        continue
                    lost = error.lost.any(axis=2, keepdims=True)
                    pixels = np.where(lost, np.uint8(WHITE), error.pixels)
            block[piece.seen_from(rectangle.left, rectangle.top).slices] = pixels
        return block

    def _was_scanned(self, level: int, piece: Rectangle, found: LostTilesError) -> bool:
        """Return whether the next level shows more than what stands where a piece has no bytes.

        Scanners do not store what they have not scanned, at any level.
        """
        if level + 1 == len(self.levels):
            return True
        factor = self.levels[level + 1].downsample / self.levels[level].downsample
        rows = ((np.arange(piece.size.height) + 0.5 + piece.top) / factor).astype(int)
        columns = ((np.arange(piece.size.width) + 0.5 + piece.left) / factor).astype(int)
        left, top = int(columns[0]), int(rows[0])
        seen = Rectangle.between(left, top, int(columns[-1]) + 1, int(rows[-1]) + 1)
        view = self.peek(level + 1, seen)
        if view is None:
            return True
        difference = view[rows - top][:, columns - left].astype(np.int16) - found.pixels
        shown = ((np.abs(difference) > STRAY) & found.lost).any(axis=2)
        lost = found.lost.any(axis=2)
        return bool(shown[lost].mean() > MAX_STRAY_SHARE) if lost.any() else False

    def _note_unreadable(self, level: int, column: int, row: int) -> None:
        pieces = self.levels[level].size.ceil_div(PIECES[-1]).area
        with self._lock:
            self._unreadable[level].add((column, row))
            percent = 100 * len(self._unreadable[level]) / pieces
        if percent > self._max_unreadable_percent:
            raise UnreadableSlideError(
                f"{self.path} is damaged: more than {self._max_unreadable_percent:g}% of its tiles"
                " cannot be decoded or have no bytes; copy it again from its source"
            )


def open_slide(
    path: SlidePath,
    *,
    mpp: float | None = None,
    scene: str = "",
    max_unreadable_percent: float = MAX_UNREADABLE_PERCENT,
    to_srgb: bool = False,
) -> Slide:
    """Return a slide or plain image, open for reading.

    Parameters
    ----------
    path
        File of any format that OpenSlide reads, OME-TIFF, TIFF, PNG or JPEG; folder of OME-Zarr;
        address of an SVS, OME-TIFF, tiled TIFF or OME-Zarr on a server.
    mpp
        Microns per level-0 pixel by the sample sheet; takes precedence over the file.
    scene
        Number or name of the image to read, of a file with several; the largest when empty.
    max_unreadable_percent
        Tiles of a level that may fail to decode and are read as white.
    to_srgb
        Whether the colour profile of the slide, if it has one, is applied.

    Raises
    ------
    UnreadableSlideError
        If the file is missing, empty, damaged or of an unknown format.
    MissingMppError
        If neither sheet nor file states the size of a pixel.
    ImplausibleMppError
        If the pixel size that counts lies outside 0.05 to 50 um.
    UnsuitableSlideError
        If the pixels are not square, the scene is not there, or the profile cannot be applied.
    RemoteError
        If it lies on a server that cannot be reached or refuses.
    """
    with probe(path, scene) as probed:
        reader = _open_reader(probed)
    try:
        return Slide(
            path,
            reader,
            mpp=mpp,
            max_unreadable_percent=max_unreadable_percent,
            to_srgb=to_srgb,
        )
    except BaseException:
        reader.close()
        raise


def _open_reader(probed: Probe) -> SlideReader:
    """Return the reader that knows the file."""
    is_remote = isinstance(probed.path, RemotePath)
    for open_reader in REMOTE_READERS if is_remote else READERS:
        reader = open_reader(probed)
        if reader is not None:
            return reader
    if isinstance(probed.path, RemotePath) and probed.is_folder:
        raise UnreadableSlideError(
            f"{probed.path} cannot be opened (the server has neither zarr.json nor .zattrs there);"
            " check the path in slides.tsv"
        )
    if is_remote:
        raise UnsuitableSlideError(
            f"{probed.path} is of a format that is read only from a disk; on a server SVS, OME-TIFF,"
            " tiled TIFF and OME-Zarr (.zarr) are read; copy the slide to a disk, or mount the bucket (rclone mount)"
        )
    if probed.is_folder and isinstance(probed.path, Path):
        raise _is_a_folder(probed.path)
    raise UnreadableSlideError(
        f"{probed.path} is not a slide or image of a known format; check the file, or convert it to"
        " a tiled TIFF"
    )


def _is_a_folder(path: Path) -> UnreadableSlideError:
    """Return the error for a folder, which names the file that stands for the slide in it."""
    if path.suffix.lower() == ".zarr":
        return UnreadableSlideError(
            f"{path} has neither zarr.json nor .zattrs, so it is no OME-Zarr, or incomplete; copy it"
            " again from its source"
        )
    mirax = path.parent / f"{path.name}.mrxs"
    if mirax.is_file():
        file = f"the file {mirax.name} beside it"
    else:
        instances = sorted(file.name for file in path.glob("*.dcm"))
        file = f"one of its files, such as {instances[0]}," if instances else "a file"
    return UnreadableSlideError(f"{path} is a folder; name {file} in slides.tsv")


def _check_pixels(path: SlidePath, size: Size) -> None:
    if size.area > MAX_PIXELS:
        raise UnreadableSlideError(
            f"{path} claims {size.width} x {size.height} pixels, more than any scanner makes; the"
            " file is damaged, copy it again from its source"
        )
