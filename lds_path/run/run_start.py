"""What a run does before its first job: repair what a killed run left, and find replaced files."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.errors import UsageError
from lds_path.run.future_times import reset_future_times
from lds_path.run.replaced_files import find_replacements
from lds_path.run.run_lock import RunLock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lds_path.run.replaced_files import WatchedInput

RECORD_NAME = "lds-path-files.json"


@dataclass(frozen=True)
class RunStart:
    """What a run knows when it starts."""

    replacements: Mapping[str, str]
    """File of the sheet, or model -> hash by which it replaced another one; empty for the others."""
    lock: RunLock | None = None
    """Held to the end of the run; None in the process of one of its jobs."""
    messages: tuple[str, ...] = ()
    """What was repaired, a line each."""


def start_run(state: Path, results: Path, inputs: Mapping[str, WatchedInput]) -> RunStart:
    """Lock the folder of a run, repair what a killed run or a wrong clock left, and hash its files.

    Parameters
    ----------
    state
        Folder in which Snakemake keeps the state of the run.
    results
        Folder of all results.
    inputs
        Files of the sheet and the model, as `find_replacements` takes them.

    Raises
    ------
    UsageError
        If the folder of the run cannot be written.
    """
    lock = None
    try:
        lock = RunLock(state)
        future_count = reset_future_times(results, time.time())
        replacements = find_replacements(state / RECORD_NAME, inputs)
    except OSError as error:
        if lock:
            lock.close()
        raise UsageError(
            f"{state.absolute().parent} cannot be written: {error.strerror}"
        ) from error
    return RunStart(
        replacements, lock, tuple(_describe(freed=lock.freed, future_count=future_count))
    )


def join_run(state: Path) -> RunStart:
    """Return what the process of a job knows of the run that it belongs to."""
    return RunStart(find_replacements(state / RECORD_NAME, {}))


def _describe(*, freed: bool, future_count: int) -> list[str]:
    messages = []
    if freed:
        messages.append("The last run was killed and left a lock; it is removed.")
    if future_count:
        messages.append(
            f"{future_count} results are from the future, as if the clock was set back; they are now"
            " from this moment."
        )
    return messages
