"""All stages of all slides in this process; a slide that fails does not stop the others."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from lds_path.direct.progress import Progress, logged_to
from lds_path.direct.slide_stages import stage_calls
from lds_path.errors import (
    DAMAGE,
    NOT_WRITABLE,
    LdsPathError,
    StageInputError,
    UsageError,
    is_lack_of_memory,
)
from lds_path.provenance.cohort import read_slide_record
from lds_path.provenance.fingerprint import sha256
from lds_path.provenance.lineage import ReportResults
from lds_path.provenance.resumption import always_running, resuming
from lds_path.provenance.stage_folder import read_results
from lds_path.reporting.outcomes import outcome_of
from lds_path.stages.report import PARTS, SUMMARY_NAME, report
from lds_path.system.memory import reset_peak_memory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from lds_path.direct.request import Request
    from lds_path.direct.slide_stages import Call
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.resumption import Resumption
    from lds_path.rules.setup import RunSetup

log = logging.getLogger(__name__)

LOG_NAME = "run.log"
RECORD_NAME = ".lds-path-files.json"
LOCK_NAME = ".lds-path-run.lock"


@dataclass(frozen=True)
class Failure:
    """A slide that a stage could not finish."""

    slide: str
    stage: str
    reason: str

    def __str__(self) -> str:
        return f"{self.slide} ({self.stage}): {self.reason}"


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    summary: str
    """What the report says of the slides, and what to open."""
    failures: list[Failure] = field(default_factory=list)


def run_slides(request: Request, *, threads: int) -> Outcome:
    """Run the stages of all slides and the report; stages that are finished are kept.

    A slide that is quarantined goes through its stages as in the workflow. One that fails has its
    reason in the outcome and its traceback in `run.log`.

    Parameters
    ----------
    request
        The slides and what to do with them.
    threads
        For each stage that can use several.

    Raises
    ------
    UsageError
        If another run writes into the folder.
    """
    setup = request.setup
    results = setup.results
    with (
        _only_run(results),
        logged_to(results / LOG_NAME),
        resuming(results / RECORD_NAME) as resumption,
    ):
        calls = {slide: stage_calls(setup, slide, threads) for slide in request.slides}
        failures = _run_all(setup, calls, resumption)
        changed = resumption.kept < sum(map(len, calls.values()))
        _write_report(setup, threads, changed=changed)
    summary = (results / "report" / SUMMARY_NAME).read_text(encoding="utf-8")
    return Outcome(summary, failures)


def _run_all(
    setup: RunSetup, calls: Mapping[str, Mapping[str, Call]], resumption: Resumption
) -> list[Failure]:
    failures = []
    planned = Counter(stage for stages in calls.values() for stage in stages)
    with Progress(len(calls), planned) as progress:
        for slide, stages in calls.items():
            progress.start_slide()
            before = resumption.kept
            failure = _run_slide(slide, stages, progress, resumption)
            outcome = f"failed in {failure.stage}" if failure else _outcome(setup, slide)
            progress.end_slide(slide, outcome, kept=resumption.kept - before == len(stages))
            failures += [failure] if failure else []
    return failures


def _run_slide(
    slide: str, stages: Mapping[str, Call], progress: Progress, resumption: Resumption
) -> Failure | None:
    """Run the stages of a slide up to the first that fails."""
    for done, (stage, call) in enumerate(stages.items()):
        progress.start_stage(slide, stage)
        before = resumption.kept
        ended = _attempt(slide, stage, call)
        if isinstance(ended, Failure):
            progress.leave_out(list(stages)[done:])
            return ended
        progress.end_stage(slide, ended, kept=resumption.kept > before)
    return None


def _attempt(slide: str, stage: str, call: Call) -> Manifest | Failure:
    """Run a stage and return its manifest, or why it failed."""
    log.info("%s: %s", slide, stage)
    reset_peak_memory()
    try:
        return call()
    except LdsPathError as error:
        log.error("%s: %s failed: %s", slide, stage, error)
        return Failure(slide, stage, " ".join(str(error).split()))
    except (MemoryError, *DAMAGE) as error:
        log.exception("%s: %s failed", slide, stage)
        return Failure(slide, stage, _in_one_line(error))


def _in_one_line(error: BaseException) -> str:
    """Return an error that is nobody's doing, or the disk's or the memory's."""
    if is_lack_of_memory(error):
        return "not enough memory; close other programs, or give fewer --threads"
    if isinstance(error, OSError) and error.errno in NOT_WRITABLE:
        return f"{error.filename or 'the output'} cannot be written: {error.strerror}"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}; see {LOG_NAME}"


def _outcome(setup: RunSetup, slide: str) -> str:
    """Return the verdict of a slide, or why it has none."""
    labelled = bool(setup.slides.cell(slide, "labels"))
    record = read_slide_record(setup.results, slide, parts=PARTS, labelled=labelled)
    return f"quarantined by {record.stopped_by}" if record.quarantine else outcome_of(record)


def _write_report(setup: RunSetup, threads: int, *, changed: bool) -> None:
    """Write the report, unless it is on these slides and nothing changed since."""
    folder = setup.results / "report"
    options: Any = setup.options["report"]
    write = partial(
        report,
        setup.results,
        folder,
        slides=setup.slides.ids,
        sheet=setup.slides.sheet,
        options=options,
        threads=threads,
    )
    if changed or not _is_current(folder):
        with always_running():
            write()
    else:
        write()


def _is_current(folder: Path) -> bool:
    """Return whether the manifests that a report was made from are still the same."""
    try:
        manifests = read_results(folder, ReportResults).manifests
        return all(sha256(Path(path)) == digest for path, digest in manifests.items())
    except (StageInputError, OSError):
        return False


@contextmanager
def _only_run(results: Path) -> Iterator[None]:
    """Hold the folder; of two runs the second would replace what the first works on."""
    try:
        with FileLock(results / LOCK_NAME, blocking=False):
            yield
    except Timeout:
        raise UsageError(
            f"another `lds-path run` is writing into {results}; wait for it, or name another folder"
            " by -o"
        ) from None
