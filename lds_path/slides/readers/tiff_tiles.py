"""The tiles of a TIFF, decoded one by one: bounded memory, from any thread."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import tifffile

from lds_path.errors import UnreadableSlideError
from lds_path.geometry import Rectangle, Size, ceil_div
from lds_path.slides.reader import LostTilesError
from lds_path.slides.readers.colours import to_rgb
from lds_path.slides.readers.image import WHITE, paste
from lds_path.slides.tiff_check import DECODE_ERRORS
from lds_path.slides.tile_header import stated_size
from lds_path.system.file_reads import read_at

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lds_path.remote.address import SlidePath
    from lds_path.remote.remote_file import RemoteFile

DEFLATE = (tifffile.COMPRESSION.ADOBE_DEFLATE, tifffile.COMPRESSION.DEFLATE)
CODEC_BLOCK = 64
"""Pixels by which a compressed tile may be larger than its TIFF states."""


@dataclass(frozen=True)
class Plane:
    """The segments of one IFD that hold all samples of a pixel, or one sample."""

    page: Any
    """A tifffile page or frame."""
    first_segment: int = 0


@dataclass(frozen=True)
class TiledLevel:
    """One resolution: one plane of interleaved samples, or one plane per sample."""

    size: Size
    planes: tuple[Plane, ...]

    @property
    def has_checksums(self) -> bool:
        """Whether tiles have checksums, of which only some decoders take notice."""
        return all(plane.page.keyframe.compression in DEFLATE for plane in self.planes)

    @property
    def stored(self) -> Size:
        """Size of its tiles or strips."""
        return segment_size(self.planes[0].page.keyframe)

    def has_no_bytes(self) -> NDArray[np.bool_]:
        """Return which tiles or strips the file has no bytes for, (rows, columns)."""
        tile = self.stored
        rows, columns = (
            ceil_div(self.size.height, tile.height),
            ceil_div(self.size.width, tile.width),
        )
        missing = np.zeros(rows * columns, np.bool_)
        for plane in self.planes:
            counts = np.array(plane.page.databytecounts)
            missing |= counts[plane.first_segment :][: missing.size] == 0
        return missing.reshape(rows, columns)


class TiffTiles:
    """The levels of an open TIFF, whose tiles or strips are decoded on demand."""

    def __init__(
        self,
        path: SlidePath,
        file: tifffile.TiffFile,
        levels: Sequence[TiledLevel],
        remote: RemoteFile | None = None,
    ) -> None:
        self.path = path
        self._remote = remote
        self.levels = tuple(levels)
        self._file, self._others = file, ExitStack()
        own = file.filehandle.path
        others = {} if remote else _open_others(path, own, self.levels, self._others)
        self._files: dict[str, BinaryIO | tifffile.FileHandle] = {own: file.filehandle, **others}

    def read(
        self, level: int, left: int, top: int, size: Size, *, blank: bool = False
    ) -> NDArray[np.uint8]:
        """Return a rectangle of a level, (H, W, 3); outside the image it is white.

        Parameters
        ----------
        level
            Index in `levels`.
        left, top, size
            The rectangle, in the level's pixels.
        blank
            Whether tiles without bytes are white, instead of an error.

        Raises
        ------
        LostTilesError
            If a tile that it touches has no bytes.
        UnreadableSlideError
            If a tile that it touches cannot be decoded.
        """
        block = np.full((size.height, size.width, 3), WHITE, np.uint8)
        rectangle, tiled = Rectangle(left, top, size), self.levels[level]
        complete = True
        for channel, plane in enumerate(tiled.planes):
            channels = block if len(tiled.planes) == 1 else block[..., channel : channel + 1]
            try:
                complete &= self._paste_plane(plane, channels, rectangle, tiled.size)
            except (*DECODE_ERRORS, EOFError) as error:
                raise UnreadableSlideError(
                    f"{self.path} has a damaged tile ({error}); copy it again from its source"
                ) from None
        if not (complete or blank):
            message = f"{self.path} has tiles without bytes; copy it again from its source"
            raise LostTilesError(message, block, (block == WHITE).all(axis=2, keepdims=True))
        return block

    def close(self) -> None:
        """Close the files."""
        self._others.close()
        self._file.close()

    def _paste_plane(
        self, plane: Plane, block: NDArray[np.uint8], rectangle: Rectangle, size: Size
    ) -> bool:
        """Copy a plane's part of a rectangle into a block; return whether all tiles have bytes."""
        tile = segment_size(plane.page.keyframe)
        across = ceil_div(size.width, tile.width)
        complete = True
        cells = list(rectangle.clipped(size).cells(tile))
        segments = [plane.first_segment + row * across + column for column, row in cells]
        for (column, row), index, data in zip(
            cells, segments, self._read_segments(plane.page, segments), strict=True
        ):
            left, top = column * tile.width, row * tile.height
            pixels = _decode(plane.page.keyframe, index, data) if data else None
            if pixels is None:
                complete = False
                continue
            pixels = pixels[: size.height - top, : size.width - left]
            paste(pixels, block, rectangle.left - left, rectangle.top - top)
        return complete

    def _read_segments(self, page: Any, segments: Sequence[int]) -> Iterator[bytes]:  # noqa: ANN401
        """Yield the bytes of segments; none of one that the file does not store.

        Those on a server are asked for together, as the answer takes longer than the transfer.
        """
        places = [(page.dataoffsets[index], page.databytecounts[index]) for index in segments]
        if self._remote is not None:
            stored = [place for place in places if place[1]]
            found = dict(zip(stored, self._remote.read_parts(stored), strict=True))
            yield from (found.get(place, b"") for place in places)
            return
        path = page.parent.filehandle.path
        for offset, count in places:
            data = read_at(path, self._files[path].fileno(), count, offset) if count else b""
            if len(data) < count:
                raise EOFError("it ends beyond the file's end")
            yield data


def _decode(
    keyframe: Any,  # noqa: ANN401 - a tifffile page
    index: int,
    data: bytes,
) -> NDArray[np.uint8] | None:
    """Return a segment's pixels, (H, W, 1 or 3); None where the codec finds none."""
    _check_stated_size(data, keyframe)
    pixels, _, shape = keyframe.decode(data, index, jpegtables=keyframe.jpegtables)
    return None if pixels is None else to_rgb(pixels[0, : shape[1], : shape[2]], keyframe)


def _open_others(
    path: SlidePath, own: str, levels: Sequence[TiledLevel], stack: ExitStack
) -> dict[str, BinaryIO]:
    """Return the files beside a TIFF's own that planes lie in, by their path, open on a stack."""
    handles = (plane.page.parent.filehandle for level in levels for plane in level.planes)
    others = sorted({handle.path for handle in handles} - {own})
    try:
        return {other: stack.enter_context(Path(other).open("rb")) for other in others}
    except OSError as error:
        stack.close()
        raise UnreadableSlideError(
            f"{path} is one of several files of a slide, and another cannot be opened"
            f" ({error.strerror}: {error.filename}); copy them all into one folder"
        ) from None


def segment_size(keyframe: Any) -> Size:  # noqa: ANN401 - a tifffile page
    """Return the size of a page's tiles, or of its strips."""
    if keyframe.is_tiled:
        return Size(keyframe.tilewidth, keyframe.tilelength)
    return Size(keyframe.imagewidth, keyframe.rowsperstrip)


def _check_stated_size(data: bytes, keyframe: Any) -> None:  # noqa: ANN401 - a tifffile page
    """Raise ValueError if a segment asks for much more memory than the TIFF states."""
    if keyframe.compression not in tifffile.TIFF.IMAGE_COMPRESSIONS:
        return  # such codecs fill the buffer that the TIFF states, and no more
    stated, expected = stated_size(data), segment_size(keyframe)
    # Scanners pad tiles to whole blocks of the codec.
    limit = expected.width + CODEC_BLOCK, expected.height + CODEC_BLOCK
    if stated is None or stated[0] > limit[0] or stated[1] > limit[1]:
        shown = "an unknown size" if stated is None else "{} x {} pixels".format(*stated)
        raise ValueError(f"it states {shown}, not {expected.width} x {expected.height}")
