"""Folders in which only one user can write."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HAS_OWNERS = hasattr(os, "getuid")
"""Whether files say whose they are and who may write; on Windows the folder above decides."""


def private_folder(path: Path) -> Path:
    """Return a folder, made if it is not there, in which only this user can write.

    Raises
    ------
    OSError
        If it cannot be made, or others own it or may write into it.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = path.lstat()
    is_own = stat.S_ISDIR(found.st_mode) and (not HAS_OWNERS or found.st_uid == user_id())
    if not is_own or (HAS_OWNERS and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise PermissionError(f"{path} can be written by others")
    return path


def user_id() -> int:
    """Return the number of this user; 0 on Windows, where each has a temporary folder of their own."""
    return os.getuid() if hasattr(os, "getuid") else 0
