"""The chunks of a Zarr array of 8-bit numbers, format 2 or 3, decoded one by one from any thread.

Each is decoded into no more memory than the array's metadata state, a damaged one costs only
itself, and one without a file is told from one that is stored: zarr-python does none of these.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import imagecodecs
import numpy as np
from google_crc32c import value as crc32c

from lds_path.remote.address import RemotePath
from lds_path.slides.readers.zarr_store.storage import read_file, read_part, read_version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.remote.address import SlidePath

MISSING = 2**64 - 1
"""Offset of a chunk that a shard does not hold."""
CHECKSUM_BYTES = 4
MARGIN = 2**12
"""Bytes by which a compressed chunk may be larger than its numbers."""


def _decode_blosc(data: bytes, size: int) -> bytes | bytearray:
    """Return decoded bytes; the library itself would read beyond the end of a chunk cut short."""
    stated = int.from_bytes(data[12:16], "little")
    if stated != len(data):
        raise ValueError(f"a chunk has {len(data)} bytes, not {stated}")
    return imagecodecs.blosc_decode(data, numthreads=1, out=size)


DECODERS: dict[str, Callable[[bytes, int], bytes | bytearray]] = {
    "blosc": _decode_blosc,
    "gzip": lambda data, size: imagecodecs.gzip_decode(data, out=size),
    "lz4": lambda data, size: imagecodecs.lz4_decode(data, header=True, out=size),
    "zlib": lambda data, size: imagecodecs.zlib_decode(data, out=size),
    "zstd": lambda data, size: imagecodecs.zstd_decode(data, out=size),
}
"""By the name of the codec; each fails where the size in bytes does not suffice."""


@dataclass(frozen=True)
class Coding:
    """How bytes become numbers."""

    codec: str = ""
    """A key of `DECODERS`; empty if nothing is compressed."""
    has_checksum: bool = False
    """Whether the bytes end with their CRC-32C."""
    order: tuple[int, ...] = ()
    """Axes in the order in which the numbers lie, where it is not that of the array."""

    def decode(self, data: bytes | bytearray, size: int) -> bytes | bytearray:
        """Return so many bytes; ValueError, or what a codec raises, if they are not those."""
        if self.has_checksum:
            data, checksum = data[:-CHECKSUM_BYTES], data[-CHECKSUM_BYTES:]
            if crc32c(data).to_bytes(CHECKSUM_BYTES, "little") != checksum:
                raise ValueError("the checksum of a chunk is wrong")
        if self.codec:
            data = DECODERS[self.codec](bytes(data), size)
        if len(data) != size:
            raise ValueError(f"a chunk has {len(data)} bytes, not {size}")
        return data

    def arrange(self, data: bytes | bytearray, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return decoded bytes as an array."""
        numbers = np.frombuffer(data, np.uint8)
        if not self.order:
            return numbers.reshape(shape)
        stored = numbers.reshape([shape[axis] for axis in self.order])
        return stored.transpose(np.argsort(self.order))


@dataclass(frozen=True)
class ZarrArray:
    """An array whose chunks are decoded on demand; any thread may read."""

    folder: SlidePath
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    """Shape of what is decoded at a time."""
    files: tuple[int, ...]
    """Shape of what a file holds: a chunk, or the chunks of a shard."""
    prefix: str
    separator: str
    """A file is named by the prefix and its indices, with separators between them."""
    fill: int
    """What stands where no bytes are stored."""
    coding: Coding
    shard_index: Coding | None = None
    """How the index of a shard is stored; None where each chunk has a file of its own."""
    index_at_end: bool = True
    _versions: dict[RemotePath, tuple[int, ...] | None] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Of the shards on a server, each of which is asked for once as long as the slide is open."""

    def read_chunk(self, index: Sequence[int]) -> NDArray[np.uint8] | None:
        """Return a chunk, whole also at the array's edge; None where its file is missing.

        What a shard does not hold is the fill value.

        Raises
        ------
        OSError, RuntimeError, ValueError
            If it is damaged.
        RemoteError
            If a server cannot be reached or refuses.
        """
        across = self._chunks_of_file
        file = self.folder / self._name([at // n for at, n in zip(index, across, strict=True)])
        inner = tuple(at % n for at, n in zip(index, across, strict=True))
        size = math.prod(self.chunks)
        if self.shard_index is None:
            data = read_file(file, 2 * size + MARGIN)
        else:
            data = self._read_of_shard(file, inner, 2 * size + MARGIN)
        if data is None:
            return None
        if not data and self.shard_index is not None:
            return np.full(self.chunks, self.fill, np.uint8)
        return self.coding.arrange(self.coding.decode(data, size), self.chunks)

    def has_file(self, index: Sequence[int]) -> bool:
        """Return whether the file of a chunk is there."""
        across = self._chunks_of_file
        at = [place // n for place, n in zip(index, across, strict=True)]
        return self._version(self.folder / self._name(at)) is not None

    def has_no_file(self) -> NDArray[np.bool_]:
        """Return which files are missing, by their indices; TypeError on a server, which has no list."""
        if isinstance(self.folder, RemotePath):
            raise TypeError(f"{self.folder} is not on a disk")
        names = set(_names_below(self.folder))
        missing = np.ones(self.grid, np.bool_)
        for index in np.ndindex(*self.grid):
            missing[index] = self._name(index) not in names
        return missing

    @property
    def grid(self) -> tuple[int, ...]:
        """Number of files along each axis."""
        return tuple(-(-n // file) for n, file in zip(self.shape, self.files, strict=True))

    @property
    def _chunks_of_file(self) -> tuple[int, ...]:
        return tuple(file // n for file, n in zip(self.files, self.chunks, strict=True))

    def _name(self, index: Sequence[int]) -> str:
        return self.prefix + self.separator.join(map(str, index))

    def _read_of_shard(self, file: SlidePath, inner: tuple[int, ...], limit: int) -> bytes | None:
        """Return the bytes of a chunk, empty if the shard does not hold it; None without a shard."""
        version = self._version(file)
        if version is None:
            return None
        begin, count = _read_index(self, file, *version)[inner].tolist()
        if begin == MISSING:
            return b""
        if not 0 < count <= limit:
            raise ValueError(f"a chunk has {count} bytes, expected at most {limit}")
        return read_part(file, begin, count)

    def _version(self, file: SlidePath) -> tuple[int, ...] | None:
        if not isinstance(file, RemotePath):
            return read_version(file)
        if file not in self._versions:
            self._versions[file] = read_version(file)
        return self._versions[file]


@lru_cache(maxsize=64)
def _read_index(array: ZarrArray, file: SlidePath, file_bytes: int, *_: int) -> NDArray[np.uint64]:
    """Return where the chunks of a shard lie, offset and number of bytes by their indices."""
    coding, across = array.shard_index or Coding(), array._chunks_of_file
    size = 16 * math.prod(across)
    stored = size + CHECKSUM_BYTES * coding.has_checksum
    begin = max(file_bytes - stored, 0) if array.index_at_end else 0
    data = coding.decode(read_part(file, begin, stored) or b"", size)
    return np.frombuffer(data, "<u8").reshape(*across, 2)


def _names_below(folder: Path) -> Iterator[str]:
    """Yield the paths of the files in a folder and below it, from that folder."""
    top = os.fspath(folder)
    for root, _, names in os.walk(top):
        start = root[len(top) :].replace(os.sep, "/").strip("/")
        yield from (f"{start}/{name}" if start else name for name in names)
