"""Memory: that of this process, now and at most, and what is free."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says how much memory a container may use."""


def peak_memory_mib() -> float:
    """Return the largest memory of this process, in MiB, since it started or was reset."""
    return _status_mib("VmHWM") or _peak_without_proc() / 2**20


def resident_memory_mib() -> float:
    """Return the present memory of this process, in MiB; 0 where the system has no /proc."""
    return _status_mib("VmRSS")


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


def _status_mib(field: str) -> float:
    """Return an amount of memory that /proc tells of this process; 0 where it does not."""
    with suppress(OSError):
        status = STATUS.read_text(encoding="utf-8", errors="replace")
        if found := re.search(rf"^{field}:\s*(\d+) kB", status, re.MULTILINE):
            return int(found[1]) / 2**10
    return 0.0


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
