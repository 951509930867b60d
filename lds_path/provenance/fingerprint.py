"""What identifies files and folders, by which a replaced file is noticed.

The hash identifies the bytes. Size, times and inode cost nothing to read and change with the bytes.
A Zarr store is one input, although it is a folder of perhaps 100,000 files: it has the hash of
their list, and what identifies it is the sum of what identifies them. A slide on a server is known by what
the server says of it, its ETag and size: reading all of it to hash it would cost what not reading it
saves. Its hash is that of this statement, and the statement stands beside it.
"""

from __future__ import annotations

import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path.remote.address import RemotePath
from lds_path.remote.identity import read_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lds_path.remote.address import SlidePath

MANIFEST_NAME = "manifest.json"
STORE_NAMES = ("zarr.json", ".zgroup", ".zattrs")
"""One of these is in the folder of a Zarr store."""
STORE_HIDDEN = (".zarray", ".zattrs", ".zgroup", ".zmetadata")
"""Hidden files that belong to a store; others are of file managers or of Snakemake."""
HASHING_THREADS = 4
"""Files of a store that are read at a time."""
STATEMENT = "statement"
"""Key of an input on a server: what the server says of it, of which `sha256` is the hash."""
COPIES = "LDS_PATH_COPIES"
"""Environment variable: folder below which a job finds copies, by the paths of their originals."""


@dataclass(frozen=True)
class InputFiles:
    """An input as it was when it was noted, before it is read: see `note_input`."""

    path: SlidePath
    files: tuple[SlidePath, ...]
    identities: tuple[list[int] | None, ...]
    known: Mapping[str, Any] | None = None
    """What `describe_input` returns, where an earlier stage hashed the same bytes."""

    @property
    def is_stage(self) -> bool:
        """Whether it is the folder of a stage."""
        return isinstance(self.path, Path) and self.files == (self.path / MANIFEST_NAME,)

    @property
    def exists(self) -> bool:
        """Whether all its files were there."""
        return None not in self.identities

    def changed(self) -> Iterator[SlidePath]:
        """Yield the files that are not what they were when the input was noted."""
        for file, identity in zip(self.files, self.identities, strict=True):
            if identify(file) != identity:
                yield file


def note_input(path: SlidePath, files: Sequence[SlidePath] = ()) -> InputFiles:
    """Return what identifies an input now, cheaply; raise RemoteError if a server does not tell.

    Parameters
    ----------
    path
        File, folder of a stage, folder of `files`, or address.
    files
        Everything that belongs to it: the files of a slide or of a model, or the folder of a Zarr
        store. When empty, the file itself; of the folder of a stage its manifest, which has the
        hashes of the others.
    """
    if not files:
        files = (path / MANIFEST_NAME if isinstance(path, Path) and path.is_dir() else path,)
    noted = tuple(files)
    return InputFiles(path, noted, tuple(map(identify, noted)))


def is_store(path: Path) -> bool:
    """Return whether a path leads to the folder of a Zarr store."""
    try:
        return path.is_dir() and any((path / name).is_file() for name in STORE_NAMES)
    except (OSError, ValueError):
        return False


def identify(path: SlidePath) -> list[int] | None:
    """Return size, times and inode of a file; they change when it is written or replaced.

    Of a Zarr store the sums and the latest times, and a hash of all. None for what is neither: a
    pipe would wait for a writer forever. Of an address the size, and a number for the ETag.

    Raises
    ------
    RemoteError
        If a server cannot be reached or refuses.
    """
    if isinstance(path, RemotePath):
        state = read_state(path)
        return None if state is None else state.identity
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if stat.S_ISDIR(status.st_mode) and is_store(path):
        return _identify_store(path)
    if not stat.S_ISREG(status.st_mode):
        return None
    return _identity(status)


def sha256(path: Path) -> str:
    """Return the hexadecimal SHA-256 of a file, or that of the list of a Zarr store's files."""
    if is_store(path):
        files = _files_of_store(path)
        with ThreadPoolExecutor(HASHING_THREADS) as pool:
            hashes = dict(zip(files, pool.map(sha256, files.values()), strict=True))
        return hash_list(hashes)
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def describe_input(noted: InputFiles) -> dict[str, Any]:
    """Return path and hash of a file, or of the manifest of a stage's folder.

    What consists of several files has the hash of their list, as `describe_outputs` hashes a
    folder, and the hash of each: they start at the folder that `folder_of` returns. The path of a
    copy is that of its original, see `find_original`. Of an address, see `STATEMENT`.
    """
    path = str(noted.path if isinstance(noted.path, RemotePath) else find_original(noted.path))
    if noted.known is not None:
        return {**noted.known, "path": path}
    if isinstance(noted.path, RemotePath):
        return describe_remote(noted.path)
    hashes = hash_files(noted.path, [file for file in noted.files if isinstance(file, Path)])
    if len(hashes) == 1:
        return {"path": path, "sha256": next(iter(hashes.values()))}
    return {"path": path, "sha256": hash_list(hashes), "files": hashes}


def describe_remote(path: RemotePath) -> dict[str, Any]:
    """Return address, hash and statement of an object on a server.

    Raises
    ------
    RemoteError
        If a server cannot be reached or refuses.
    """
    state = read_state(path)
    statement, digest = ({}, "") if state is None else (state.describe(), state.sha256)
    return {"path": str(path), "sha256": digest, STATEMENT: statement}


def name_content(described: Mapping[str, Any], digits: int | None = None) -> str:
    """Return by what a manifest knows the bytes of an input, for people: a hash, or an ETag."""
    statement = described.get(STATEMENT)
    if isinstance(statement, dict):
        known = [f"{name} {value}" for name, value in statement.items() if name != "bytes"]
        size = [f"{statement['bytes']} bytes"] if "bytes" in statement else []
        return ", ".join([*known, *size]) + ", as the server says"
    return f"sha256 {str(described['sha256'])[:digits]}"


def find_original(path: Path) -> Path:
    """Return the path that a file or folder was copied from if it lies below the folder `COPIES`."""
    copies = os.environ.get(COPIES)
    place = path.absolute()
    if not copies or not place.is_relative_to(copies):
        return path
    rest = place.relative_to(copies)
    return Path("/") / rest if (Path("/") / rest).exists() else rest


def find_copy(original: str) -> Path | None:
    """Return the copy of a file below the folder `COPIES`, None if there is none."""
    copies = os.environ.get(COPIES)
    if not copies or not original:
        return None
    copy = Path(copies) / original.lstrip("/")
    return copy if copy.is_file() or is_store(copy) else None


def folder_of(path: Path) -> Path:
    """Return the folder in which the files of an input of several files lie."""
    return path if path.is_dir() else path.parent


def hash_files(path: Path, files: Sequence[Path]) -> dict[str, str]:
    """Return name -> hash of the files of an input, sorted; see `note_input`."""
    folder = folder_of(path)
    return {file.relative_to(folder).as_posix(): sha256(file) for file in sorted(files)}


def hash_list(hashes: Mapping[str, str]) -> str:
    """Return the hash of a list of name -> hash, as `sha256sum` prints it."""
    lines = [f"{digest}  {name}\n" for name, digest in hashes.items()]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def describe_outputs(folder: Path, *, threads: int = 1) -> dict[str, Mapping[str, Any]]:
    """Return name -> hash and size of everything that a stage wrote, except its manifest.

    A folder in it, such as a Zarr store, is hashed as the list of its files and their hashes, as
    `sha256sum` prints it, sorted by path. Hidden files beside the manifest, which belong to other
    programs, do not count.

    Parameters
    ----------
    folder
        Folder of the stage.
    threads
        Files to read at a time.
    """
    files = {name: _files_of(folder / name) for name in output_names(folder)}
    paths = [path for group in files.values() for path in group]
    with ThreadPoolExecutor(threads) as pool:
        hashes = dict(zip(paths, pool.map(sha256, paths), strict=True))
    return {name: _describe(folder / name, group, hashes) for name, group in files.items()}


def output_names(folder: Path) -> list[str]:
    """Return the names of the files and folders that a stage wrote, except its manifest."""
    names = sorted(path.name for path in folder.iterdir())
    return [name for name in names if name != MANIFEST_NAME and not name.startswith(".")]


def count_files(folder: Path) -> int:
    """Return the number of files in a folder and below it; 0 where there is none."""
    return sum(len(files) for _, _, files in os.walk(folder))


def _identity(status: os.stat_result) -> list[int]:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def _identify_store(store: Path) -> list[int] | None:
    try:
        found = {name: _identity(file.stat()) for name, file in _files_of_store(store).items()}
    except OSError:  # removed meanwhile
        return None
    digest = hashlib.sha256(repr(found).encode(errors="surrogateescape")).hexdigest()
    sizes, written, changed, _ = zip(*found.values(), strict=True)
    return [sum(sizes), max(written), max(changed), int(digest[:12], 16)]


def _files_of_store(store: Path) -> dict[str, Path]:
    """Return the files of a store by their names in it, sorted."""
    found = {}
    for root, _, names in os.walk(store):
        folder = Path(root)
        start = "" if folder == store else f"{folder.relative_to(store).as_posix()}/"
        for name in names:
            if not name.startswith(".") or name in STORE_HIDDEN:
                found[start + name] = folder / name
    return dict(sorted(found.items()))


def _files_of(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _describe(path: Path, files: list[Path], hashes: Mapping[Path, str]) -> dict[str, Any]:
    size = sum(file.stat().st_size for file in files)
    if not path.is_dir():
        return {"bytes": size, "sha256": hashes[path]}
    digest = hash_list({file.relative_to(path).as_posix(): hashes[file] for file in files})
    return {"bytes": size, "files": len(files), "sha256": digest}
