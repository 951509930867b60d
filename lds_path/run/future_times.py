"""Times of results that lie in the future, after a clock was set back.

Snakemake compares the times of results. One from the future would look newer than all that is
made from it, and no job that reads it could end well until the clock has caught up.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = ".snakemake_timestamp"
"""File in a folder that a job wrote, whose time is the folder's."""
DEPTHS = 3
"""A folder that a job writes is at most so far below that of all results."""


def end_future(results: Path, now: float) -> int:
    """Give results whose time is after now the time now, and return how many there were.

    Their order is lost, so that what was made from them may be made once more.

    Parameters
    ----------
    results
        Folder of all results.
    now
        The time, in seconds since 1970.
    """
    files = [file for depth in range(DEPTHS) for file in results.glob(f"*/{'*/' * depth}{NAME}")]
    late = [file for file in files if file.stat().st_mtime > now]
    for file in late:
        os.utime(file, (now, now))
    return len(late)
