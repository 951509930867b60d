"""Runs Snakemake on the repository's workflow in a folder of its own."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parent.parent
FORKS = Path(__file__).parent / "snakemake_forks.py"
SECONDS = 1200
"""After which a run is killed."""


def snakemake(
    folder: Path,
    *arguments: str,
    change: dict[str, object] | None = None,
    programs: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake with the shipped configuration and a change of it; results go to the folder.

    Programs in the folder `programs` come before all others.
    """
    changed = folder / "change.yaml"
    changed.write_text(yaml.safe_dump(change or {}))
    options = ["--snakefile", str(REPOSITORY / "Snakefile"), "--directory", str(folder)]
    options += ["--cores", "2", "--configfile", str(REPOSITORY / "config.yaml"), str(changed)]
    return snakemake_in(REPOSITORY, *options, *arguments, programs=programs)


def snakemake_in(
    folder: Path, *arguments: str, programs: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake in a folder, as a fork of a process that has imported it: it takes a second less."""
    folders = [*([programs] if programs else []), Path(sys.executable).parent]
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    command = ["snakemake", *arguments]
    forks = _start_forks()
    with tempfile.TemporaryDirectory() as outputs:
        stdout, stderr = Path(outputs) / "stdout", Path(outputs) / "stderr"
        request = {
            "command": command,
            "environment": {**os.environ, "PATH": path},
            "folder": str(folder),
            "output": [str(stdout), str(stderr)],
            "seconds": SECONDS,
        }
        forks.stdin.write(json.dumps(request) + "\n")
        forks.stdin.flush()
        code = int(forks.stdout.readline())
        return subprocess.CompletedProcess(command, code, stdout.read_text(), stderr.read_text())


@cache
def _start_forks() -> subprocess.Popen[str]:
    forks = subprocess.Popen(
        [sys.executable, "-P", str(FORKS)],  # modules of the tests are not in its reach
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    atexit.register(forks.communicate)  # the end of its input ends it
    return forks


def jobs_of(run: subprocess.CompletedProcess[str]) -> dict[str, int]:
    """Return rule -> number of jobs from Snakemake's table; empty if there is nothing to do."""
    assert run.returncode == 0, run.stderr + run.stdout
    output = run.stdout + run.stderr
    if "Job stats:" not in output:
        assert "Nothing to be done" in output
        return {}
    table = output.split("Job stats:")[1].split("\n\n")[0].splitlines()
    rows = [line.split() for line in table if len(line.split()) == 2]
    return {name: int(count) for name, count in rows if count.isdigit()}
