"""The tiles of a TIFF, decoded one by one: bounded memory, from any thread."""

from __future__ import annotations

from dataclasses import dataclass
from os import pread
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from lds_path.errors import UnreadableSlideError
from lds_path.geometry import Rectangle, Size, ceil_div
from lds_path.slides.readers.image import WHITE, paste
from lds_path.slides.tiff_check import DECODE_ERRORS
from lds_path.slides.tile_header import stated_size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

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


class TiffTiles:
    """The levels of an open TIFF, whose tiles or strips are decoded on demand."""

    def __init__(self, path: Path, file: tifffile.TiffFile, levels: Sequence[TiledLevel]) -> None:
        self.path = path
        self.levels = tuple(levels)
        self._file = file

    def read(self, level: int, left: int, top: int, size: Size) -> NDArray[np.uint8]:
        """Return a rectangle of a level, (H, W, 3); outside the image it is white.

        Raises
        ------
        UnreadableSlideError
            If a tile that it touches cannot be decoded.
        """
        block = np.full((size.height, size.width, 3), WHITE, np.uint8)
        rectangle, planes = Rectangle(left, top, size), self.levels[level].planes
        for channel, plane in enumerate(planes):
            channels = block if len(planes) == 1 else block[..., channel : channel + 1]
            self._paste_plane(plane, channels, rectangle, self.levels[level].size)
        return block

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _paste_plane(
        self, plane: Plane, block: NDArray[np.uint8], rectangle: Rectangle, size: Size
    ) -> None:
        tile = segment_size(plane.page.keyframe)
        across = ceil_div(size.width, tile.width)
        for column, row in rectangle.clipped(size).cells(tile):
            left, top = column * tile.width, row * tile.height
            pixels = self._decode(plane, row * across + column)
            if pixels is not None:
                pixels = pixels[: size.height - top, : size.width - left]
                paste(pixels, block, rectangle.left - left, rectangle.top - top)

    def _decode(self, plane: Plane, index: int) -> NDArray[np.uint8] | None:
        """Return a segment's pixels, (H, W, 1 or 3); None where the file stores none."""
        index += plane.first_segment
        keyframe = plane.page.keyframe
        try:
            offset, count = plane.page.dataoffsets[index], plane.page.databytecounts[index]
            if not count:
                return None
            data = pread(self._file.filehandle.fileno(), count, offset)
            if len(data) < count:
                raise EOFError("it ends beyond the file's end")
            _check_stated_size(data, keyframe)
            pixels, _, shape = keyframe.decode(data, index, jpegtables=keyframe.jpegtables)
        except (*DECODE_ERRORS, EOFError) as error:
            raise UnreadableSlideError(
                f"{self.path} has a damaged tile ({error}); copy it again from its source"
            ) from None
        return None if pixels is None else _to_rgb(pixels[0, : shape[1], : shape[2]], keyframe)


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


def _to_rgb(pixels: NDArray[np.uint8], keyframe: Any) -> NDArray[np.uint8]:  # noqa: ANN401
    """Return decoded samples (H, W, S) as RGB over white; a single plane of three is unchanged."""
    if keyframe.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        pixels = np.invert(pixels)
    if pixels.shape[2] < 4:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    colour = pixels[..., :3].astype(np.uint16)
    if keyframe.extrasamples[:1] == (tifffile.EXTRASAMPLE.UNASSALPHA,):
        colour = (colour * alpha + 127) // 255
    rgb: NDArray[np.uint8] = np.minimum(colour + 255 - alpha, 255).astype(np.uint8)
    return rgb
