"""Ends a stage whose Snakemake was killed: the next run starts it again, in the same folder."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

VARIABLE = "LDS_PATH_RUN"
"""Environment variable with the id of the Snakemake process that a stage belongs to."""
SECONDS = 1.0


def end_with_run() -> None:
    """Let this process end soon after the Snakemake process that started it, if there is one."""
    run = os.environ.get(VARIABLE, "")
    if run.isdigit() and int(run) in ancestors():
        threading.Thread(target=_watch, args=(int(run),), daemon=True).start()


def ancestors() -> list[int]:
    """Return the ids of the processes above this one; none where the system has no /proc."""
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


def _watch(run: int) -> None:
    while run in ancestors():
        time.sleep(SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)
