"""Runs tile and detect on many slides in processes that may crash, hang or run out of memory.

`python tests/corpus_runner.py FOLDER NAME...` is such a process: it reports each slide in a line.
"""

from __future__ import annotations

import faulthandler
import json
import logging
import math
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

import numpy as np
from corpus import DONE, EITHER, all_cases, find_data
from corpus_recipes import make_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from corpus import Case
    from corpus_recipes import Source
    from numpy.typing import NDArray

ROOT = Path(__file__).parent.parent
MEMORY = 2 * 2**30
SECONDS = 30
"""For one slide."""
MAX_WRONG_PERCENT = 0.2
FAR = 24
"""Grey values by which JPEG and the substitute for glass do not change a pixel."""
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
    mpp: float | None = None
    unreadable: int | None = None
    others: tuple[str, ...] = ()
    wrong_percent: float | None = None
    """Working pixels that are not those that the slide shows, if these are known."""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_memory_mib: float = 0.0


def run_cases(names: Sequence[str], folder: Path) -> list[Outcome]:
    """Return how each case ended; a process that dies is followed by another one."""
    outcomes: list[Outcome] = []
    while len(outcomes) < len(names):
        left = names[len(outcomes) :]
        command = [sys.executable, "-X", "faulthandler", __file__, str(folder), *left]
        places = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": places}
        process = subprocess.run(
            command, capture_output=True, text=True, errors="replace", env=environment, check=False
        )
        found = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]
        outcomes += [
            Outcome(**one | {"warnings": tuple(one["warnings"]), "others": tuple(one["others"])})
            for one in found
        ]
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
    found += _wrong_results(case, outcome)
    if outcome.peak_memory_mib * 2**20 > MEMORY:
        found.append(f"{outcome.peak_memory_mib} MiB")
    found += [f"warning: {warning}" for warning in outcome.warnings]
    return [f"{outcome.name} {outcome.status}: {fault} ({outcome.reason})" for fault in found]


def _wrong_results(case: Case, outcome: Outcome) -> list[str]:
    """Return what is wrong with the pyramid of a case that is done."""
    if outcome.status != DONE:
        return []
    found = []
    if case.mpp is not None and not math.isclose(case.mpp, outcome.mpp or 0, rel_tol=1e-3):
        found.append(f"{outcome.mpp} um per pixel, expected {case.mpp}")
    if case.unreadable is not None and case.unreadable != outcome.unreadable:
        found.append(f"{outcome.unreadable} unreadable tiles, expected {case.unreadable}")
    if case.others and case.others != outcome.others:
        found.append(f"names {outcome.others}, expected {case.others}")
    if case.detected is not None and case.detected == bool(outcome.reason):
        found.append("tissue is not found" if case.detected else "tissue is found")
    if outcome.wrong_percent is not None and outcome.wrong_percent > MAX_WRONG_PERCENT:
        found.append(f"{outcome.wrong_percent:.2f} % of the pixels are wrong")
    return found


def run_case(case: Case, folder: Path, source: Source) -> Outcome:
    """Write a slide, run both stages on it and say how they ended."""
    from lds_path.options.slides import TileOptions
    from lds_path.stages.detect import detect
    from lds_path.stages.tile import tile

    path, shown = case.write_shown(folder / "slides", source)
    started = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        options = TileOptions(mpp=case.working_mpp, slide_mpp=case.slide_mpp, scene=case.scene)
        tiled = tile(path, folder / "tile" / case.name, options=options)
        detected = detect(folder / "tile" / case.name, folder / "detect" / case.name)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    return Outcome(
        name=case.name,
        file=case.file,
        status=tiled.status,
        reason=detected.reason,
        mpp=tiled.results.get("mpp"),
        unreadable=tiled.results.get("unreadable_tiles"),
        others=tuple(tiled.results.get("other_images", ())),
        wrong_percent=_wrong_percent(folder / "tile" / case.name, shown),
        warnings=tuple(str(warning.message) for warning in caught),
        seconds=round(time.monotonic() - started, 2),
        peak_memory_mib=round(peak),
    )


def _wrong_percent(folder: Path, shown: NDArray[np.uint8] | None) -> float | None:
    """Return the share of working pixels that are far from what they should show."""
    from lds_path.formats.pyramid import PYRAMID_NAME, open_pyramid

    if shown is None or not (folder / PYRAMID_NAME).exists():
        return None
    pyramid = open_pyramid(folder)
    if (pyramid.size.height, pyramid.size.width) != shown.shape[:2]:
        return 100.0
    found = pyramid.read(0, 0, 0, pyramid.size).astype(np.int16)
    red, green, blue = np.moveaxis(np.abs(found - shown) > FAR, 2, 0)
    return 100 * float((red | green | blue).mean())


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
