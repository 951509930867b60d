"""Runs lds-path until a moment of its work and then ends it as `kill -9` does.

A moment is a number of calls of Python and C functions after the stage made its folder, so that the
same moment is met again and any is possible, also within a file that is written. Environment:

COUNT_MOMENTS   folder to write the number of moments of a stage into, as a file of its name
KILL_AT         folder whose file of a stage's name holds the moment; used once
"""

from __future__ import annotations

import os
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

    def start(self, event: str, arguments: tuple) -> None:
        """Begin to count; an audit hook."""
        if event == "open" and not self.started and str(arguments[0]).endswith(MARKER):
            self.started = True
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


def run(stage: str) -> None:
    folders = {name: os.environ.get(name) for name in ("COUNT_MOMENTS", "KILL_AT")}
    moments = Moments(stage, Path(folders["KILL_AT"]) if folders["KILL_AT"] else None)
    from lds_path.cli import main

    if moments.last or folders["COUNT_MOMENTS"]:
        threading.setprofile(moments.pass_by)
        sys.addaudithook(moments.start)
    try:
        main()
    finally:
        sys.setprofile(None)
        moments.started = False
        if folders["COUNT_MOMENTS"]:
            Path(folders["COUNT_MOMENTS"], stage).write_text(str(moments.count))


if __name__ == "__main__":
    run(sys.argv[1])
