"""The workflow on two small slides, as faults are injected into it."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from small_run import KILLED, REPOSITORY, contents

if TYPE_CHECKING:
    from collections.abc import Callable

PAINTED = Path("results", "demo", "a")
CHANGE = {"detect": {"region_size": 512, "overlap": 64, "lattice": 64}}
SLIDES = ("a", "b")


def prepare(folder: Path, painted: Path, *slides: str) -> None:
    """Put copies of a painted slide, with labels, and their sheet into a folder."""
    lines = ["slide\tpath\tlabels\tsplit"]
    for slide in slides or SLIDES:
        target = folder / "slides" / slide
        target.mkdir(parents=True)
        for name in ("slide.tif", "labels.tif"):
            shutil.copy(painted / name, target / name)
        lines.append(f"{slide}\tslides/{slide}/slide.tif\tslides/{slide}/labels.tif\ttest")
    (folder / "slides.tsv").write_text("\n".join(lines) + "\n")


def start(
    folder: Path,
    *arguments: str,
    change: dict[str, object] | None = None,
    sheet: str = "slides.tsv",
    warm: bool = False,
    **environment: str,
) -> subprocess.Popen[str]:
    """Start Snakemake in a folder and a process group of its own, with both outputs in one.

    Stages are processes of their own, into which faults can be injected, or workers of the server if `warm`.
    """
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    program = programs / "lds-path"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{KILLED}" "$@"\n')
    program.chmod(0o755)
    (folder / "change.yaml").write_text(yaml.safe_dump(CHANGE | (change or {})))
    first = [] if warm else [str(programs)]
    path = os.pathsep.join([*first, str(Path(sys.executable).parent), os.environ["PATH"]])
    command = ["snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--cores", "2"]
    command += ["--directory", str(folder), "--configfile", str(REPOSITORY / "config.yaml")]
    command += [str(folder / "change.yaml"), "--config", f"slides={folder / sheet}", *arguments]
    heed_interrupts()
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "PATH": path, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def heed_interrupts() -> None:
    """Let processes heed SIGINT; those of tests that run in the background would ignore it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def finish(folder: Path, *arguments: str, **options: object) -> str:
    """Run Snakemake to its end, which must be a good one, and return what it said."""
    process = start(folder, *arguments, **options)
    output, _ = process.communicate()
    assert process.returncode == 0, output
    assert "Traceback" not in output
    return output


def kill(process: subprocess.Popen[str], *, group: bool) -> None:
    """End Snakemake, and with `group` its jobs, too, as `kill -9` does; wait until all are gone."""
    if group:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.communicate()  # until nobody holds its outputs
    wait_for(lambda: not is_group_alive(process.pid))


def stage_workers(snakemake: int) -> list[int]:
    """Return the processes of the server of a run that stages run in."""
    return [
        worker for server in _children(snakemake) for worker in _children(server) if _serves(server)
    ]


def _serves(process: int) -> bool:
    try:
        return b"serve-stages" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def _children(process: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{process}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def is_group_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something has happened; a test that waits in vain is ended by its runner."""
    while not condition():
        time.sleep(0.02)


def finished_stages(folder: Path) -> int:
    """Return the number of folders that a stage finished."""
    return sum("manifest.json" in files for _, _, files in os.walk(folder / "results"))


def results(folder: Path) -> dict[str, bytes]:
    """Return what a run made, by path, but for times: of manifests, and so of their hashes."""
    found = {}
    for name, content in contents(folder, "results").items():
        if name.endswith("manifest.json"):
            manifest = json.loads(content)
            manifest["results"].pop("manifests", None)
            manifest["inputs"] = sorted(manifest["inputs"])
            manifest["command"] = ""  # differs where faults are injected
            content = json.dumps(manifest).encode()
        if name.endswith("cohort.tsv"):
            rows = list(csv.DictReader(io.StringIO(content.decode()), delimiter="\t"))
            timeless = [
                {key: row[key] for key in row if not key.startswith(("seconds", "peak_memory"))}
                for row in rows
            ]
            content = json.dumps(timeless).encode()
        if not name.endswith(".html"):  # show times and memory
            found[name] = content
    return found


def changes(folder: Path, other: Path) -> list[str]:
    """Return the results that one of two runs lacks or that differ."""
    one, two = results(folder), results(other)
    return sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))
