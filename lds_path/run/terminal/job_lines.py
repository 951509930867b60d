"""The terminal of a run under Snakemake: a line a slide and stage in place of Snakemake's own.

Snakemake reports what happens as records of `logging`, with the kind of event as an attribute, see
its interface of logger plugins. Its log file still gets all of them, and the terminal those on errors.
"""

from __future__ import annotations

import logging
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path.errors import StageInputError
from lds_path.provenance.manifest import read_manifest
from lds_path.run.terminal.stage_lines import WORDS, StageLines

if TYPE_CHECKING:
    from collections.abc import Callable

LOGGER = "snakemake.logging"
HANDLER = "DefaultStreamHandler"
"""Name of Snakemake's handler for the terminal."""
DETAILS = {
    "JOB_INFO", "GROUP_INFO", "SHELLCMD", "JOB_STARTED", "JOB_FINISHED", "PROGRESS",
    "RESOURCES_INFO", "WORKFLOW_STARTED",
}  # fmt: skip
"""Events that the lines stand in for."""
DETAIL_TEXTS = (
    "Select jobs to execute", "Execute ", "Using shell", "Conda environments: ignored",
    "Singularity containers: ignored", "Group jobs: inactive", "Complete log", "Elapsed time",
)  # fmt: skip
NOTHING_TO_DO = "Nothing to be done"


def quieten(
    asked: Any,  # noqa: ANN401 - Snakemake's
    summary: Path,
    *,
    write: Callable[[str], object] = sys.stderr.write,
) -> None:
    """Show a line for each job of this run on the terminal instead of what Snakemake says of it.

    In a dry run everything stays as it is, and so it does with `--quiet`, `--verbose` and
    `--printshellcmds`: who gives them knows what they want to see.

    Parameters
    ----------
    asked
        Snakemake's settings of its output.
    summary
        Last lines of an earlier run, shown again if there is nothing to do.
    write
        Takes the lines.
    """
    if asked.dryrun or asked.quiet or asked.verbose or asked.printshellcmds:
        return
    logger = logging.getLogger(LOGGER)
    for handler in logger.handlers:
        if handler.name == HANDLER:
            handler.addFilter(lambda record: not is_detail(record))
    logger.addHandler(JobLines(summary, write))


def is_detail(record: logging.LogRecord) -> bool:
    """Return whether a record is left out on the terminal."""
    if record.levelno > logging.INFO:
        return False
    return _event(record) in DETAILS or str(record.msg).startswith(DETAIL_TEXTS)


class JobLines(logging.Handler):
    """Turns the records of Snakemake into lines.

    Parameters
    ----------
    summary, write
        As `quieten` takes them.
    clock
        Returns seconds.
    """

    def __init__(
        self,
        summary: Path,
        write: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self._summary, self._write, self._clock = summary, write, clock
        self._lines = StageLines({})
        self._started = clock()
        self._jobs: dict[int, _Job] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Note jobs that begin, and write a line for each that ends; no mistake here stops a run."""
        try:
            self._tell(record)
        except (AttributeError, LookupError, OSError, TypeError, ValueError):
            self.handleError(record)

    def _tell(self, record: logging.LogRecord) -> None:
        fields = vars(record)
        event = _event(record)
        if event == "RUN_INFO":
            stats = fields["stats"]
            self._lines = StageLines({stage: stats[stage] for stage in stats if stage in WORDS})
            self._started = self._clock()
        elif event == "JOB_INFO":
            self._begin(fields["jobid"], fields["rule_name"], fields["wildcards"], fields["output"])
        elif event == "GROUP_INFO":
            for job in fields["jobs"]:
                self._begin(job.jobid, job.rule.name, job.wildcards_dict, map(str, job.output))
        elif event == "JOB_FINISHED":
            self._end(self._jobs.pop(fields["job_id"], None))
        elif str(record.msg).startswith(NOTHING_TO_DO) and self._summary.is_file():
            sys.stdout.write(f"{self._summary.read_text(encoding='utf-8')}\n")

    def _begin(self, number: int, stage: str, wildcards: Any, output: Any) -> None:  # noqa: ANN401 - Snakemake's
        slide, shard = wildcards.get("slide", ""), wildcards.get("scatteritem", "1-of-1")
        subject = slide if shard == "1-of-1" else f"{slide} (shard {shard})"
        self._jobs[number] = _Job(stage, subject, [Path(path) for path in output], self._clock())

    def _end(self, job: _Job | None) -> None:
        if job is None or job.stage not in WORDS:
            return
        quarantined_by = job.quarantined_by()
        if quarantined_by not in ("", job.stage):
            self._lines.skip(job.stage)
            return
        now = self._clock()
        line = self._lines.end(
            job.stage,
            job.subject,
            seconds=now - job.started,
            elapsed=now - self._started,
            note=f"is quarantined by {job.stage}" if quarantined_by else "",
        )
        self._write(f"{line}\n")


class _Job:
    """A job that runs."""

    def __init__(self, stage: str, subject: str, output: list[Path], started: float) -> None:
        self.stage, self.subject, self.output, self.started = stage, subject, output, started

    def quarantined_by(self) -> str:
        """Return the stage that put its slide in quarantine; empty if none did."""
        for folder in self.output:
            try:
                return read_manifest(folder).quarantined_by
            except StageInputError:  # not the folder of a stage, or not here
                continue
        return ""


def _event(record: logging.LogRecord) -> str:
    return str(getattr(getattr(record, "event", None), "name", ""))
