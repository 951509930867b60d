"""Memory: the largest of this process, and what is free."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says how much memory a container may use."""
_PEAK = re.compile(r"^VmHWM:\s*(\d+) kB", re.MULTILINE)


def peak_memory_mib() -> float:
    """Return the largest memory of this process, in MiB, since it started or was reset."""
    with suppress(OSError):
        found = _PEAK.search(STATUS.read_text(encoding="utf-8", errors="replace"))
        if found:
            return int(found[1]) / 2**10
    return _peak_without_proc() / 2**20


def reset_peak_memory() -> None:
    """Let the largest memory start at the present one, where the system can do that."""
    with suppress(OSError):
        RESET.write_text("5", encoding="ascii")


def free_and_total_memory() -> tuple[int, int]:
    """Return the free bytes of memory, and all that there are, or those that a container allows."""
    import psutil

    found = psutil.virtual_memory()
    total = min([found.total, *_container_limits()])
    return min(found.available, total), total


def _peak_without_proc() -> int:
    """Return the largest memory in bytes; on Windows as psutil knows it."""
    try:
        import resource
    except ImportError:
        import psutil

        memory = psutil.Process().memory_info()
        return int(getattr(memory, "peak_wset", memory.rss))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 2**10


def _container_limits() -> list[int]:
    """Return the limits of memory that a container has; none where it has none."""
    limits = []
    for path in map(Path, LIMITS):
        try:
            limits.append(int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):  # not there, or "max"
            continue
    return limits
