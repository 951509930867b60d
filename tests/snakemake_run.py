"""Runs Snakemake on the repository's workflow in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).parent.parent


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
    command = ["snakemake", "--snakefile", str(REPOSITORY / "Snakefile")]
    command += ["--directory", str(folder), "--cores", "2"]
    command += ["--configfile", str(REPOSITORY / "config.yaml"), str(changed), *arguments]
    folders = [*([programs] if programs else []), Path(sys.executable).parent]
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        timeout=1200,
        check=False,
    )


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
