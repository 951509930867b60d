"""A process: its cores, the processes above it, and its end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

PROC = Path("/proc/self/stat")


def usable_cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ancestors() -> list[int]:
    """Return the ids of the processes above this one, from its parent on, as far as the system tells."""
    return _read_ancestors() if PROC.exists() else _ask_ancestors()


def end_at_once() -> None:
    """End this process, whatever its threads are doing."""
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))  # Windows ends it by either


def _read_ancestors() -> list[int]:
    processes = []
    process = os.getppid()
    while process > 0:
        processes.append(process)
        try:
            status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            break
        process = int(status.rpartition(")")[2].split()[1])
    return processes


def _ask_ancestors() -> list[int]:
    import psutil

    processes: list[int] = []
    try:
        process = psutil.Process().parent()
        while process is not None:
            processes.append(process.pid)
            process = process.parent()
    except psutil.Error:  # of another user
        return processes
    return processes
