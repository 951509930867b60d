"""Which GPU a job takes: one of the visible ones that no other job of the same user holds.

Each GPU has a lock file of its own. The operating system frees the lock when its holder ends,
however it ends. Nothing here needs torch or a GPU.
"""

from __future__ import annotations

import logging
import re
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout
from platformdirs import user_runtime_path

from lds_path.errors import UsageError
from lds_path.system.private_folder import private_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5


def name_devices(uuids: Sequence[str], visible: str | None) -> list[str]:
    """Return a name for each GPU that a process can see, by which every other process knows it.

    It is the GPU's UUID: an index counts the GPUs of one process, which in a container or under a
    scheduler are not those of another. A slice of a GPU (MIG) has its name in
    `CUDA_VISIBLE_DEVICES`, because it may report the UUID of its card.

    Parameters
    ----------
    uuids
        UUIDs of the GPUs that the process can see, in its order.
    visible
        `CUDA_VISIBLE_DEVICES`, or None where it is not set.
    """
    entries = [entry.strip() for entry in (visible or "").split(",")]
    if len(uuids) == 1 and entries[0].startswith("MIG-"):
        return [entries[0]]
    return list(uuids)


def lock_folder() -> Path:
    """Return the folder of the lock files: in the user's runtime folder, which a restart empties."""
    return user_runtime_path("lds-path") / "gpu-locks"


@contextmanager
def lock_device(
    names: Sequence[str], *, folder: Path | None = None, poll_seconds: float = POLL_SECONDS
) -> Iterator[int]:
    """Lock the first free device and yield its index; wait while all are locked.

    Parameters
    ----------
    names
        Name of each device, at least one; see `name_devices`.
    folder
        Folder of the lock files; `lock_folder()` when None.
    poll_seconds
        Time between two attempts.

    Raises
    ------
    UsageError
        If the folder cannot hold lock files.
    """
    try:
        folder = private_folder(lock_folder() if folder is None else folder)
        locks = [FileLock(folder / f"{_file_name(name)}.lock") for name in names]
        index = _lock_first_free(locks, poll_seconds)
    except OSError as error:
        raise UsageError(
            f"{folder or 'the runtime folder'} cannot hold the locks of the GPUs"
            f" ({error.strerror or error}); set XDG_RUNTIME_DIR to"
            " a folder that is yours alone"
        ) from error
    try:
        yield index
    finally:
        locks[index].release()


def _lock_first_free(locks: Sequence[FileLock], poll_seconds: float) -> int:
    """Acquire the first free lock and return its index."""
    warned = False
    while True:
        for index, lock in enumerate(locks):
            try:
                lock.acquire(blocking=False)
            except Timeout:
                continue
            return index
        if not warned:
            log.warning("all GPUs (%d) are held by other jobs; waiting for one", len(locks))
        warned = True
        time.sleep(poll_seconds)


def _file_name(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "_", name)
