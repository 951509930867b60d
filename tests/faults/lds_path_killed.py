"""Runs lds-path until a moment of its work and then ends it as `kill -9` does.

A moment is a number of calls of Python and C functions after the stage made its folder, so that the
same moment is met again and any is possible, also within a file that is written. Environment:

COUNT_MOMENTS   folder to write the number of moments of a stage into, as a file of its name
KILL_AT         folder whose file of a stage's name holds the moment; used once
MEMORY_MIB      what the stage may take beyond what it has when it makes its folder
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

MARKER = f"{os.sep}.lds-path"


class Moments:
    """Counts calls from the moment that a stage makes its folder."""

    def __init__(self, stage: str, kill_at: Path | None) -> None:
        self.count = 0
        self.started = False
        self.file = kill_at / stage if kill_at else None
        self.last = int(self.file.read_text()) if self.file and self.file.exists() else 0
        self.profiles = bool(self.last or "COUNT_MOMENTS" in os.environ)

    def start(self, event: str, arguments: tuple) -> None:
        """Begin to count; an audit hook."""
        if event == "open" and not self.started and str(arguments[0]).endswith(MARKER):
            self.started = True
            if "MEMORY_MIB" in os.environ:
                limit_memory(int(os.environ["MEMORY_MIB"]))
            if self.profiles:
                sys.setprofile(self.pass_by)

    def pass_by(self, *_: object) -> None:
        """Count a call, and end the process at the last one; a profile function."""
        if not self.started:
            return
        self.count += 1
        if self.count == self.last:
            with suppress(FileNotFoundError):  # the same stage of another slide was killed
                self.file.unlink()
                os.kill(os.getpid(), signal.SIGKILL)


def limit_memory(more_mib: int) -> None:
    """Refuse this process more than some memory beyond what it has."""
    lines = Path("/proc/self/status").read_text().splitlines()
    has_kib = next(int(line.split()[1]) for line in lines if line.startswith("VmData:"))
    limit = has_kib * 2**10 + more_mib * 2**20
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def run(stage: str) -> None:
    counts, plan = (os.environ.get(name) for name in ("COUNT_MOMENTS", "KILL_AT"))
    moments = Moments(stage, Path(plan) if plan else None)
    from lds_path.cli import main

    threading.setprofile(moments.pass_by if moments.profiles else None)
    sys.addaudithook(moments.start)
    try:
        main()
    finally:
        sys.setprofile(None)
        moments.started = False
        if counts:
            Path(counts, stage).write_text(str(moments.count))


if __name__ == "__main__":
    run(sys.argv[1])
