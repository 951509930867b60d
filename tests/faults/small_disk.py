"""A disk of any size, in memory, to be filled: needs the right to mount."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AMPLE = "400m"


@contextmanager
def disk(folder: Path) -> Iterator[Path]:
    """Mount an ample disk on a folder, made for it."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={AMPLE}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root and a container that allows it")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def leave_free(folder: Path, size: int) -> None:
    """Make a disk so small that a number of bytes is free."""
    found = os.statvfs(folder)
    remount(folder, f"size={(found.f_blocks - found.f_bfree) * found.f_frsize + size}")


def remount(folder: Path, option: str = f"size={AMPLE}") -> None:
    """Change a disk; by default to an ample one."""
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)
