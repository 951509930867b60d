"""Times of results that lie in the future, after a clock was set back.

Snakemake compares the times of results. A result from the future would look newer than everything
made from it, and no job that reads it could succeed until the clock has caught up.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NAME = ".snakemake_timestamp"
"""File in a folder that a job wrote, whose time is the folder's."""
DEPTHS = 3
"""Levels that a folder written by a job may lie below the folder of all results."""


def reset_future_times(results: Path, now: float) -> int:
    """Set times that lie after `now` to `now`, and return how many there were.

    Their order is lost, so that what was made from these results may be made again.

    Parameters
    ----------
    results
        Folder of all results.
    now
        The time, in seconds since 1970.
    """
    files = [file for depth in range(DEPTHS) for file in results.glob(f"*/{'*/' * depth}{NAME}")]
    future = [file for file in files if file.stat().st_mtime > now]
    for file in future:
        os.utime(file, (now, now))
    return len(future)
