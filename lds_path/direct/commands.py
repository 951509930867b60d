"""The commands run, models and doctor; what they need is imported when they are called."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from lds_path.options.command import PATH
from lds_path.run.gc_freeze import frozen_imports

if TYPE_CHECKING:
    from pathlib import Path

    from lds_path.direct.run import Outcome

INTERRUPTED = 130


@click.command()
@click.argument("source", metavar="SLIDE|FOLDER|SHEET", type=PATH)
@click.option("-o", "--output", type=PATH, required=True, help="Folder for the results.")
@click.option("--model", help="Id of a shipped model (see `lds-path models`), or a model folder.")
@click.option("--mpp", type=float, help="Microns per pixel of slides that do not state it.")
@click.option("--config", "config_file", type=PATH, help="File with other keys of config.yaml.")
@click.option(
    "--threads",
    type=click.IntRange(1, 1024),
    help="Threads to use; default: all cores of this process.",
)
def run(
    source: Path,
    output: Path,
    model: str | None,
    mpp: float | None,
    config_file: Path | None,
    threads: int | None,
) -> None:
    """Segment a slide, all slides of a folder or those of a sample sheet, and write the report.

    Everything in one process, into the folders that the workflow writes. The same command resumes:
    what is finished is kept. A slide that cannot be analysed does not stop the others.
    """
    # Bars of stages go when they are full: the lines of the slides stay.
    os.environ.setdefault("TQDM_LEAVE", "")
    with frozen_imports():
        from lds_path.direct.request import read_request
        from lds_path.direct.run import run_slides

    request = read_request(source, output, model=model, mpp=mpp, config_file=config_file)
    try:
        outcome = run_slides(request, threads=threads or _cores())
    except KeyboardInterrupt:
        click.echo("Interrupted; the same command resumes.", err=True)
        sys.exit(INTERRUPTED)
    _print_outcome(outcome)


def _print_outcome(outcome: Outcome) -> None:
    click.echo(outcome.summary)
    if outcome.failures:
        click.echo("failed:")
        for failure in outcome.failures:
            click.echo(f"  {failure}")
        sys.exit(1)


def _cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
