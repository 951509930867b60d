"""Makes mutants of all that the package reads, in processes that may crash, hang or use up memory.

`python tests/fuzz/fuzz.py --mutants 5000 --seed 1` prints the counts and every flaw, and ends with
exit code 1 if there is one. A mutant is made again by `--kind KIND --only NUMBER`.
"""

from __future__ import annotations

import argparse
import faulthandler
import json
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

TESTS = Path(__file__).parent.parent
sys.path[:0] = [str(TESTS.parent), str(TESTS / "stages"), str(TESTS / "benchmark"), str(TESTS)]

from mutant_outcome import CRASH, FLAWS, HANG, REFUSED, TRACEBACK, Outcome, render

if TYPE_CHECKING:
    from collections.abc import Sequence

PAGE = TESTS.parent / "docs" / "faults.md"
MODULES = {
    "slide: TIFF": ("image_subjects", "plain_tiff"),
    "slide: SVS": ("image_subjects", "svs"),
    "slide: OME-TIFF": ("image_subjects", "ome_tiff"),
    "labels: image": ("image_subjects", "label_image"),
    "labels: GeoJSON": ("image_subjects", "geojson"),
    "stage: pyramid": ("stage_subjects", "pyramid"),
    "stage: predictions": ("stage_subjects", "predictions"),
    "stage: labels": ("stage_subjects", "stitched_labels"),
    "model folder": ("text_subjects", "model"),
    "sheet": ("text_subjects", "sheet"),
    "configuration": ("text_subjects", "config"),
}
"""Kind -> module and function that makes a mutant and judges what is read."""
MEMORY = 2 * 2**30
"""That a process may take beyond what it has at the start."""
SECONDS = 60
"""For one mutant, on a machine that may be busy; the first of a kind in a process also compiles."""
BATCH = 100
"""Mutants that share a process, and the module that makes them: imports take longer than a mutant."""
Mutant = tuple[str, int]
"""Kind and number."""


def run_campaign(mutants: int, seed: int, *, processes: int = 2) -> list[Outcome]:
    """Return how all mutants ended, divided evenly over the kinds."""
    kinds = list(MODULES)
    modules: dict[str, list[Mutant]] = {}
    for place, kind in enumerate(kinds):
        share = [(kind, number) for number in range(place, mutants, len(kinds))]
        modules.setdefault(MODULES[kind][0], []).extend(share)
    batches = [
        share[start : start + BATCH]
        for share in modules.values()
        for start in range(0, len(share), BATCH)
    ]
    with ThreadPoolExecutor(processes) as pool:
        found = pool.map(lambda batch: run_batch(batch, seed), batches)
        return [outcome for outcomes in found for outcome in outcomes]


def run_batch(mutants: Sequence[Mutant], seed: int) -> list[Outcome]:
    """Return how some mutants ended; a process that dies is followed by another one."""
    outcomes: list[Outcome] = []
    while left := mutants[len(outcomes) :]:
        command = [sys.executable, "-X", "faulthandler", __file__, "--seed", str(seed), "--child"]
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        with tempfile.TemporaryDirectory() as scratch:
            process = subprocess.run(
                [*command, json.dumps(left)], capture_output=True, text=True, errors="replace",
                env=environment | {"TMPDIR": scratch}, check=False,
            )  # fmt: skip
        lines = [line for line in process.stdout.splitlines() if line.startswith("{")]
        outcomes += [Outcome(**json.loads(line)) for line in lines]
        if len(lines) < len(left):
            end = HANG if "Timeout" in process.stderr else CRASH
            words = f"exit code {process.returncode}: {process.stderr[-1500:]}"
            outcomes.append(Outcome(*left[len(lines)], end, words))
    return outcomes


def run_child(mutants: Sequence[Mutant], seed: int) -> None:
    """Run mutants one after another and print how each ended; a hang ends the process."""
    logging.disable()
    warnings.simplefilter("ignore")
    subjects = {
        kind: getattr(__import__(MODULES[kind][0]), MODULES[kind][1]) for kind, _ in mutants
    }
    limit = _data_bytes() + MEMORY
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    begun = set()
    for kind, number in mutants:
        seconds = SECONDS if kind in begun else 4 * SECONDS
        begun.add(kind)
        faulthandler.dump_traceback_later(seconds, exit=True)
        outcome = _run_mutant(kind, number, subjects[kind], seed)
        faulthandler.cancel_dump_traceback_later()
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
        sys.stdout.flush()


def _run_mutant(kind, number, subject, seed) -> Outcome:
    from lds_path.errors import LdsPathError

    with tempfile.TemporaryDirectory() as folder:
        try:
            end, detail = subject(Path(folder), Random(f"{seed} {kind} {number}"))
        except LdsPathError as error:
            message = str(error)
            end = REFUSED if len(message.splitlines()) == 1 else TRACEBACK
            detail = message.replace(folder, "")
        except BaseException:  # noqa: BLE001 - what a command would print as a traceback
            end, detail = TRACEBACK, traceback.format_exc()[-3000:]
    return Outcome(kind, number, end, detail)


def _data_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmData:")) * 2**10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mutants", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kind", choices=list(MODULES))
    parser.add_argument("--only", type=int, help="Number of one mutant of the kind.")
    parser.add_argument("--write-page", action="store_true", help=f"Write the table to {PAGE}.")
    parser.add_argument("--child", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        return run_child(given.child, given.seed)
    started = time.monotonic()
    if given.only is not None:
        outcomes = run_batch([(given.kind, given.only)], given.seed)
    else:
        outcomes = run_campaign(given.mutants, given.seed)
    flaws = [outcome for outcome in outcomes if outcome.end in FLAWS]
    for outcome in flaws if given.only is None else outcomes:
        sys.stdout.write(f"{outcome.kind} {outcome.number}: {outcome.end}\n{outcome.detail}\n\n")
    sys.stdout.write(f"{render(outcomes)}\n{time.monotonic() - started:.0f} s\n")
    if given.write_page:
        from page import write_section

        write_section(PAGE, "fuzz", render(outcomes))
    sys.exit(1 if flaws else 0)


if __name__ == "__main__":
    main()
