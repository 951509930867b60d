"""The commands run, models and doctor; what they need is imported when they are called."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from lds_path.options.command import PATH, SLIDE
from lds_path.run.gc_freeze import frozen_imports

if TYPE_CHECKING:
    from pathlib import Path

    from lds_path.direct.run import Outcome
    from lds_path.remote.address import SlidePath

INTERRUPTED = 130


@click.command()
@click.argument("source", metavar="SLIDE|FOLDER|SHEET", type=SLIDE)
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
    source: SlidePath,
    output: Path,
    model: str | None,
    mpp: float | None,
    config_file: Path | None,
    threads: int | None,
) -> None:
    """Segment slides, all stages in one process.

    SLIDE is one file, or its address, such as s3://bucket/scan.svs; of a FOLDER its slides are taken, of a SHEET (.tsv, .csv, .txt) those that it lists.

    The folders are those that the workflow writes, with the report. The same command resumes:
    what is finished is kept. A slide that cannot be analysed does not stop the others.
    """
    # Bars of stages go when they are full: the lines of the slides stay.
    os.environ.setdefault("TQDM_LEAVE", "")
    with frozen_imports():
        from lds_path.direct.request import read_keys, read_request
        from lds_path.direct.run import run_slides
        from lds_path.system.processes import usable_cores

    given = {} if config_file is None else read_keys(config_file)
    request = read_request(
        source, output, model=model, mpp=mpp, given=given, config_file=config_file
    )
    for warning in request.warnings:
        click.echo(warning, err=True)
    try:
        outcome = run_slides(request, threads=threads or usable_cores())
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


@click.command()
def models() -> None:
    """List the models of the package.

    With classes, resolution, intended use and scores.
    """
    from lds_path.models.listing import list_models

    click.echo(list_models(), nl=False)


@click.command()
@click.argument("folder", type=PATH, default=".")
def doctor(folder: Path) -> None:
    """Check what a run needs of this computer.

    FOLDER is where results are to be written.

    Ends with a small slide that is painted and segmented, and with exit code 1 if anything fails.
    """
    from lds_path.direct.doctor import examine

    failed = False
    for check in examine(folder):
        click.echo(str(check))
        failed |= check.word == "fail"
    sys.exit(int(failed))
