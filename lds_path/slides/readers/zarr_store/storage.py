"""The files of a Zarr store, on a disk or as the objects of a server."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from lds_path.remote.address import RemotePath
from lds_path.remote.identity import find_images
from lds_path.remote.objects import read_object, read_object_part, read_object_state

if TYPE_CHECKING:
    from lds_path.remote.address import SlidePath

MISSING = (FileNotFoundError, NotADirectoryError)


def read_file(path: SlidePath, limit: int) -> bytes | None:
    """Return all bytes of a file; None if it is missing.

    Raises
    ------
    ValueError
        If there are more than `limit`.
    OSError
        If it cannot be read.
    RemoteError
        If a server cannot be reached or refuses.
    """
    if isinstance(path, RemotePath):
        found = read_object(path, limit)
        return None if found is None else found[0]
    try:
        with path.open("rb", buffering=0) as stream:
            size = os.fstat(stream.fileno()).st_size
            if size > limit:
                raise ValueError(f"{path.name} has {size} bytes, more than {limit}")
            return stream.read(size)
    except MISSING:
        return None


def read_part(path: SlidePath, begin: int, count: int) -> bytes | None:
    """Return bytes of a file from `begin` on; None if it is missing. Raise as `read_file`."""
    if isinstance(path, RemotePath):
        return read_object_part(path, begin, count)
    try:
        with path.open("rb", buffering=0) as stream:
            stream.seek(begin)
            return stream.read(count)
    except MISSING:
        return None


def read_version(path: SlidePath) -> tuple[int, ...] | None:
    """Return the size of a file, and numbers that change with it; None if it is missing."""
    if isinstance(path, RemotePath):
        found = read_object_state(path)
        return None if found is None else tuple(found.identity)
    try:
        state = path.stat()
    except MISSING:
        return None
    return state.st_size, state.st_mtime_ns, state.st_ino


def list_folders(store: SlidePath) -> list[SlidePath]:
    """Return the folders in a store, in the order of their numbers; OSError if it has no list.

    Of a store on a server, those that are numbered from 0.
    """
    if isinstance(store, RemotePath):
        return [*find_images(store)]
    folders = [folder for folder in Path(store).iterdir() if folder.is_dir()]
    return [*sorted(folders, key=lambda folder: (len(folder.name), folder.name))]
