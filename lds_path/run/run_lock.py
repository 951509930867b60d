"""Locks that a killed run left, and whether they may be removed.

Snakemake locks its working folder with files, which a killed run leaves there. Here every Snakemake
process also holds a lock that ends with the process. If no process holds that lock, the files are
left over. On Windows, which has no such locks, `snakemake --unlock` removes them.
"""

from __future__ import annotations

import json
import shutil
import socket
from typing import TYPE_CHECKING

from lds_path.system.file_locks import share_lock, try_lock

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "lds-path.lock"
SNAKEMAKE_LOCKS = "locks"


class RunLock:
    """Held by a Snakemake process from its start to its end."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._stream = (folder / FILE_NAME).open("a+", encoding="utf-8")
        self.freed = self._free()
        """Whether the locks of a killed run were removed."""
        share_lock(self._stream)

    def describe_run(self, *, local: bool) -> None:
        """Record whether the jobs of this run end with it: those on a cluster may continue."""
        self._stream.truncate(0)
        json.dump({"host": socket.gethostname(), "local": local}, self._stream)
        self._stream.flush()

    def close(self) -> None:
        """Release the lock before the process ends."""
        self._stream.close()

    def _free(self) -> bool:
        """Remove Snakemake's locks if the run that left them is over, and its jobs with it."""
        if not try_lock(self._stream):
            return False
        locks = self._folder / SNAKEMAKE_LOCKS
        if self._last_run() != {"host": socket.gethostname(), "local": True}:
            return False
        if not (locks.is_dir() and any(locks.iterdir())):
            return False
        shutil.rmtree(locks)
        return True

    def _last_run(self) -> object:
        self._stream.seek(0)
        try:
            return json.load(self._stream)
        except ValueError:  # the first run, or one that was killed while it wrote
            return None
