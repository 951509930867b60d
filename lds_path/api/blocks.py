"""Levels as dask arrays whose blocks open their file by its path, so that they pickle.

A process keeps what it opened last. Nothing is open in an array itself: it can be sent to threads, to
processes and to other machines that see the same paths.
"""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import dask.array as da
import numpy as np

from lds_path.geometry import Rectangle

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import DTypeLike, NDArray

    ReadWindow = Callable[[int, Rectangle], NDArray[Any]]
    Key = slice | int | list[int] | NDArray[np.integer]

OPEN_SOURCES = 16
"""Files that a process keeps open."""


class Opened:
    """An open source; it is closed when no block needs it any more.

    Parameters
    ----------
    read
        Returns a rectangle of a level, (H, W) or (C, H, W); any thread may call it.
    close
        Called at the end; must not refer to this object.
    """

    def __init__(self, read: ReadWindow, close: Callable[[], None] | None = None) -> None:
        self.read = read
        if close is not None:
            weakref.finalize(self, close)


class Source(Protocol):
    """What a process opens to read blocks: paths and what their content must be; hashable."""

    @property
    def token(self) -> str:
        """Hash of the content."""

    def open(self) -> Opened:
        """Open it for reading."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class Level:
    """A level that dask slices; what is asked for is read."""

    source: Source
    number: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __getitem__(self, key: tuple[Key, ...]) -> NDArray[Any]:
        """Return a part; each key counts for its axis alone, also if several are lists."""
        full = (*key, *(slice(None),) * (self.ndim - len(key)))
        rows, row_key = _cover(full[-2], self.shape[-2])
        columns, column_key = _cover(full[-1], self.shape[-1])
        window = Rectangle.between(columns.start, rows.start, columns.stop, rows.stop)
        if window.is_empty:
            shape = (*self.shape[:-2], window.size.height, window.size.width)
            pixels = np.empty(shape, self.dtype)
        else:
            opened = _open(self.source, os.getpid())
            pixels = opened.read(self.number, window)
        part: NDArray[Any] = pixels[..., row_key, :][..., column_key]
        return part[full[0]] if self.ndim > 2 else part


def lazy_level(
    source: Source, number: int, shape: tuple[int, ...], dtype: DTypeLike, *, block: tuple[int, int]
) -> da.Array:
    """Return a level as a dask array, named after the content.

    Parameters
    ----------
    source, number
        What is opened, and the number of its level.
    shape
        (H, W) or (C, H, W).
    dtype
        Of the pixels.
    block
        Height and width of a block.
    """
    level = Level(source, number, shape, np.dtype(dtype))
    array: da.Array = da.from_array(  # type: ignore[no-untyped-call]
        level,
        chunks=(*shape[:-2], *block),
        name=f"lds-path-{source.token}-{number}",
        asarray=True,
        inline_array=True,
        meta=np.empty((0,) * len(shape), level.dtype),
    )
    return array


def _cover(key: Key, length: int) -> tuple[range, Key]:
    """Return the pixels from the first to the last of a key, and the key within them."""
    chosen = np.arange(length)[key]
    if chosen.size == 0:
        return range(0), slice(0, 0)
    covered = range(int(chosen.min()), int(chosen.max()) + 1)
    if isinstance(key, slice) and key.step in (None, 1):
        return covered, slice(None)
    return covered, chosen - covered.start


@lru_cache(maxsize=OPEN_SOURCES)
def _open(source: Source, process: int) -> Opened:
    """Open a source once in a process; a forked one shares no file with its parent."""
    del process
    return source.open()
