"""One shard of a Zarr 3 array, written straight from memory and read straight into it.

The bytes are those of the `sharding_indexed` codec (Zarr 3 core specification): the chunks, each
compressed by zstd, then where each lies, then a checksum of that index. zarr-python reads them;
but around each chunk it takes longer than the compression itself.
"""

from __future__ import annotations

import os
from itertools import product
from typing import IO, TYPE_CHECKING

import numpy as np
from google_crc32c import value as crc32c
from imagecodecs import zstd_decode, zstd_encode

from lds_path.geometry import ceil_div

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

MISSING = 2**64 - 1


def write_shard(
    path: Path,
    planes: NDArray[np.uint8],
    *,
    chunk: int,
    chunks_across: int,
    fill_value: int,
    level: int,
) -> None:
    """Write a shard, without the chunks that hold nothing but the fill value.

    Parameters
    ----------
    path
        File to write; not written if all chunks are missing.
    planes
        Pixels, (C, H, W); may end before the shard does.
    chunk
        Edge of a chunk in pixels; it holds all channels.
    chunks_across
        Columns, and rows, of chunks in a shard.
    fill_value
        Of the array; fills up the chunks at the slide's edge.
    level
        Of zstd.
    """
    index = np.full((chunks_across, chunks_across, 2), MISSING, "<u8")
    parts: list[bytes] = []
    offset = 0
    for row, column in product(range(chunks_across), repeat=2):
        part = planes[:, row * chunk : (row + 1) * chunk, column * chunk : (column + 1) * chunk]
        if (part == fill_value).all():  # also where the slide has ended
            continue
        pixels = _whole(part, chunk, fill_value).tobytes()
        parts.append(bytes(zstd_encode(pixels, level=level)))
        index[row, column] = offset, len(parts[-1])
        offset += len(parts[-1])
    if not parts:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as stream:
        stream.writelines(parts)
        stream.write(index.tobytes())
        stream.write(crc32c(index.tobytes()).to_bytes(4, "little"))


def read_shard(
    path: Path,
    planes: NDArray[np.uint8],
    left: int,
    top: int,
    *,
    chunk: int,
    chunks_across: int,
) -> None:
    """Set what a shard holds of a window; where it has no chunk, the window stays as it is.

    Parameters
    ----------
    path
        The shard's file; one that does not exist holds nothing.
    planes
        Window, (C, H, W).
    left, top
        Corner of the window in pixels from the shard's corner; may be negative.
    chunk, chunks_across
        As for `write_shard`.

    Raises
    ------
    ValueError
        If the shard is damaged.
    """
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        return
    channels, height, width = planes.shape
    columns = _touched(left, width, chunk, chunks_across)
    rows = _touched(top, height, chunk, chunks_across)
    with stream:
        index = _read_index(path, stream, chunks_across)
        for row, column in product(rows, columns):
            offset, length = (int(number) for number in index[row, column])
            if offset == MISSING:
                continue
            stream.seek(offset)
            pixels = zstd_decode(stream.read(length), out=channels * chunk * chunk)
            whole = np.frombuffer(pixels, np.uint8).reshape(channels, chunk, chunk)
            x, y = column * chunk - left, row * chunk - top  # of the chunk in the window
            part = planes[:, max(y, 0) : y + chunk, max(x, 0) : x + chunk]
            x, y = max(-x, 0), max(-y, 0)
            part[...] = whole[:, y : y + part.shape[1], x : x + part.shape[2]]


def _touched(start: int, length: int, chunk: int, count: int) -> range:
    """Return which chunks of a shard a window touches along an axis."""
    return range(max(start // chunk, 0), min(ceil_div(start + length, chunk), count))


def _read_index(path: Path, stream: IO[bytes], chunks_across: int) -> NDArray[np.uint64]:
    size = chunks_across**2 * 16
    stream.seek(-(size + 4), os.SEEK_END)
    encoded, checksum = stream.read(size), stream.read(4)
    if crc32c(encoded).to_bytes(4, "little") != checksum:
        raise ValueError(f"{path} is damaged: the checksum of its index is wrong; tile again")
    return np.frombuffer(encoded, "<u8").reshape(chunks_across, chunks_across, 2)


def _whole(part: NDArray[np.uint8], chunk: int, fill_value: int) -> NDArray[np.uint8]:
    """Return a chunk filled up to its full size."""
    channels, height, width = part.shape
    if (height, width) == (chunk, chunk):
        return part
    whole = np.full((channels, chunk, chunk), fill_value, np.uint8)
    whole[:, :height, :width] = part
    return whole
