"""Locks on open files, released when the file is closed or its process ends, however it ends.

Windows has none that survive the renaming of a folder. There nothing is ever locked, and what relies on a lock
takes its cautious way: it removes nothing that another process may still use.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import IO

HAS_LOCKS = find_spec("fcntl") is not None
"""Whether files can be locked here."""


def try_lock(stream: IO[str]) -> bool:
    """Lock a file for this process alone; False if it is locked, or cannot be."""
    if not HAS_LOCKS:
        return False
    import fcntl

    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def share_lock(stream: IO[str]) -> None:
    """Lock a file together with others that share it; wait while a process has it alone."""
    if HAS_LOCKS:
        import fcntl

        fcntl.flock(stream, fcntl.LOCK_SH)
