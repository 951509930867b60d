"""Reading a file that several threads share, each at a place of its own."""

from __future__ import annotations

import os
from pathlib import Path


def read_at(path: str, descriptor: int, count: int, offset: int) -> bytes:
    """Return so many bytes from an offset on, fewer where the file ends; any thread may call it.

    Parameters
    ----------
    path
        The file, opened once more where threads cannot share a descriptor, as on Windows.
    descriptor
        Of the file, which is open.
    """
    if hasattr(os, "pread"):
        return os.pread(descriptor, count, offset)
    with Path(path).open("rb", buffering=0) as own:
        own.seek(offset)
        return own.read(count)
