"""Runs tile and detect on many slides in processes that may crash, hang or run out of memory.

`python tests/corpus_runner.py FOLDER NAME...` is such a process: it reports each slide in a line.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import re
import resource
import subprocess
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from corpus import EITHER, all_cases, find_data
from corpus_recipes import make_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corpus import Case
    from corpus_recipes import Source

ROOT = Path(__file__).parent.parent
MEMORY = 2 * 2**30
SECONDS = 30
"""For one slide."""
CASES = {case.name: case for case in all_cases()}
REMEDY = re.compile(r"\b(check|convert|copy|correct|draw|fill|leave|lower|name|scan)\b")


@dataclass(frozen=True)
class Outcome:
    """How the analysis of a slide ended."""

    name: str
    file: str = ""
    status: str = "crashed"
    """Of the tile stage: done or quarantined; crashed if the process did not survive."""
    reason: str = ""
    """Why tile or detect put the slide in quarantine, or the last words of the process."""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_memory_mib: float = 0.0


def run_cases(names: Sequence[str], folder: Path) -> list[Outcome]:
    """Return how each case ended; a process that dies is followed by another one."""
    outcomes: list[Outcome] = []
    while len(outcomes) < len(names):
        left = names[len(outcomes) :]
        command = [sys.executable, "-X", "faulthandler", __file__, str(folder), *left]
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
        process = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=environment, check=False
        )
        found = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]
        outcomes += [Outcome(**one | {"warnings": tuple(one["warnings"])}) for one in found]
        if len(found) < len(left):
            last_words = f"exit code {process.returncode}: {process.stderr[-1500:]}"
            outcomes.append(Outcome(left[len(found)], reason=last_words))
    return outcomes


def find_flaws(outcome: Outcome) -> list[str]:
    """Return what is wrong with the end of a case."""
    case = CASES[outcome.name]
    if outcome.status == "crashed":
        return [f"{outcome.name}: {outcome.reason}"]
    found = []
    if case.end not in (EITHER, outcome.status):
        found.append(f"expected {case.end}")
    if case.reason.lower() not in outcome.reason.lower():
        found.append(f"expected a reason with {case.reason!r}")
    if outcome.reason and " ".join(case.file.split()) not in outcome.reason:
        found.append("the reason does not name the file")
    if outcome.reason and not REMEDY.search(outcome.reason.rpartition(";")[2]):
        found.append("the reason names no remedy")
    if "\n" in outcome.reason or re.search(
        r"Traceback|<\w+|\(\)", outcome.reason.replace(case.file, "")
    ):
        found.append("the reason is not one for people")
    if outcome.peak_memory_mib * 2**20 > MEMORY:
        found.append(f"{outcome.peak_memory_mib} MiB")
    found += [f"warning: {warning}" for warning in outcome.warnings]
    return [f"{outcome.name} {outcome.status}: {fault} ({outcome.reason})" for fault in found]


def run_case(case: Case, folder: Path, source: Source) -> Outcome:
    """Write a slide, run both stages on it and say how they ended."""
    from lds_path.options.slides import TileOptions
    from lds_path.stages.detect import detect
    from lds_path.stages.tile import tile

    path = case.write(folder / "slides", source)
    started = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tiled = tile(
            path, folder / "tile" / case.name, options=TileOptions(slide_mpp=case.slide_mpp)
        )
        detected = detect(folder / "tile" / case.name, folder / "detect" / case.name)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return Outcome(
        name=case.name,
        file=case.file,
        status=tiled.status,
        reason=detected.reason,
        warnings=tuple(str(warning.message) for warning in caught),
        seconds=round(time.monotonic() - started, 2),
        peak_memory_mib=round(peak),
    )


def main(folder: Path, names: Sequence[str]) -> None:
    """Run cases one after another; a hang ends the process as a crash does."""
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    logging.disable()
    source = make_source(find_data())
    for name in names:
        faulthandler.dump_traceback_later(SECONDS, exit=True)
        outcome = run_case(CASES[name], folder, source)
        faulthandler.cancel_dump_traceback_later()
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
