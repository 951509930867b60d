"""Ends a stage whose Snakemake was killed: the next run starts it again, in the same folder."""

from __future__ import annotations

import os
import threading
import time

from lds_path.system.processes import ancestors, end_at_once

VARIABLE = "LDS_PATH_RUN"
"""Environment variable with the id of the Snakemake process that a stage belongs to."""
SECONDS = 1.0


def end_with_run() -> None:
    """Let this process end soon after the Snakemake process that started it, if there is one."""
    run = os.environ.get(VARIABLE, "")
    if run.isdigit() and int(run) in ancestors():
        threading.Thread(target=_watch, args=(int(run),), daemon=True).start()


def _watch(run: int) -> None:
    while run in ancestors():
        time.sleep(SECONDS)
    end_at_once()
