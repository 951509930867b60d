"""Runs Snakemake as often as it is asked to, and imports it once: each run is a fork of this process.

A line of JSON on its input is a run; a line of its output is the exit code of the run.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import sys

import smart_open  # noqa: F401 - every run imports it
from snakemake.cli import main


def become(request: dict[str, object]) -> None:
    """Make this process what `snakemake` would be that is started by a shell."""
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.argv = request["command"]
    signal.alarm(request["seconds"])
    for number, name in enumerate((os.devnull, *request["output"])):
        target = os.open(name, os.O_RDWR | os.O_CREAT)
        os.dup2(target, number)
        os.close(target)


def run() -> None:
    """Run Snakemake and end this process; Python's own end would copy all memory that is shared."""
    try:
        main()
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ended.code)


if __name__ == "__main__":
    gc.freeze()
    while line := sys.stdin.readline():
        if not (child := os.fork()):
            become(json.loads(line))
            sys.exit(run())
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()
