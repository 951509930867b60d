"""Files and folders that are either complete or unchanged."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lds_path.errors import UsageError
from lds_path.system.file_locks import HAS_LOCKS, try_lock

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKER = ".lds-path"
"""File in a folder that a stage writes or wrote; locked by the process while it writes."""
_NO_FOLDER = (errno.ENOTDIR, errno.ENAMETOOLONG, errno.ENOENT, errno.ELOOP, errno.EEXIST)
_NAME_TAKEN = (errno.ENOTEMPTY, errno.EEXIST)
_NEW = ".lds-path-new"
_NAME_LENGTH = 100
"""Of the final name, characters that the private one begins with."""


@contextmanager
def complete_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; its file gets the final name when the block ends without an error.

    It is synced to disk before it gets the name, so that not even a loss of power leaves half a
    file there. After an error it is removed, and an older file of that name stays.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        yield partial
        with partial.open("rb+") as stream:
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def complete_folder(path: Path) -> Iterator[Path]:
    """Yield a private folder to write to; it gets the final name when the block ends well.

    It lies beside the final one, as a hidden folder, and holds the empty file `MARKER`. An older
    folder of that name is removed first, and so is what killed processes left. After an error the
    private folder is removed.

    Raises
    ------
    UsageError
        If the folder cannot be made, or another process has made it in the meantime.
    """
    target = Path(os.path.realpath(path))  # Path.resolve fails on a cycle of links
    try:
        _discard(target)
        folder, lock = _make_private(target)
    except OSError as error:
        if error.errno not in _NO_FOLDER:
            error.filename = str(path)  # for the message, which should not name the private folder
            raise
        raise UsageError(
            f"{path} cannot be made ({error.strerror}); name a folder that is new or empty"
        ) from None
    with closing(lock):
        try:
            _clear_leftovers(target)
            yield folder
            _publish(folder, target, path)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def empty_folder(folder: Path) -> None:
    """Remove what was written into a private folder."""
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != MARKER:
            entry.unlink()


def place_file(source: Path, target: Path) -> None:
    """Give a finished file a second name, a hard link, so that it takes no space there.

    A copy where the file system has no hard links, or the names lie on two of them. A stage replaces
    its files and never changes them, so what it writes later does not show under the second name.
    """
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def _discard(target: Path) -> None:
    """Remove a folder; of several processes that try, one removes it."""
    try:
        os.lstat(target)
    except FileNotFoundError:
        return
    if not target.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(target))
    away = _private_name(target)
    try:
        target.rename(away)
    except FileNotFoundError:  # another process was faster
        return
    shutil.rmtree(away, ignore_errors=True)


def _make_private(target: Path) -> tuple[Path, IO[str]]:
    """Return a new private folder and its marker, locked where files can be."""
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f"{_NEW}-{secrets.token_hex(4)}")
    new.mkdir()
    lock = (new / MARKER).open("w", encoding="utf-8")
    if HAS_LOCKS:
        try_lock(lock)
    else:
        lock.close()  # Windows renames no folder with open files
    folder = _private_name(target)
    new.rename(folder)  # only now do others take it for one of these
    return folder, lock


def _private_name(target: Path) -> Path:
    return target.with_name(f".{target.name[:_NAME_LENGTH]}.{secrets.token_hex(4)}{MARKER}")


def _clear_leftovers(target: Path) -> None:
    """Remove the private folders of processes that were killed."""
    start = f".{target.name[:_NAME_LENGTH]}."
    for entry in list(target.parent.iterdir()):
        if entry.name.startswith(start) and entry.name.endswith(MARKER) and _is_abandoned(entry):
            shutil.rmtree(entry, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    try:
        with (folder / MARKER).open("r+", encoding="utf-8") as lock:
            return try_lock(lock)
    except FileNotFoundError:  # half removed
        return True


def _publish(folder: Path, target: Path, path: Path) -> None:
    """Give a private folder its final name, of several processes in the first one only."""
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno not in _NAME_TAKEN:
            raise
        raise UsageError(
            f"{path} was written by another process in the meantime; its result is kept and this"
            " one is discarded; write each folder by one process at a time"
        ) from None
