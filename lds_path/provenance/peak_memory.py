"""The largest memory of this process: since it started, or since it was last reset."""

from __future__ import annotations

import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_PEAK = re.compile(r"^VmHWM:\s*(\d+) kB", re.MULTILINE)


def peak_memory_mib() -> float:
    """Return the largest memory of this process, in MiB."""
    with suppress(OSError):
        found = _PEAK.search(STATUS.read_text(encoding="utf-8", errors="replace"))
        if found:
            return int(found[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def reset_peak_memory() -> None:
    """Let the largest memory start at the present one, where the system can do that."""
    with suppress(OSError):
        RESET.write_text("5", encoding="ascii")
