"""The command suggest; what it needs is imported when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lds_path.options.command import PATH, options_of
from lds_path.options.suggesting import SuggestOptions
from lds_path.run.gc_freeze import frozen_imports

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("results", type=PATH)
@click.argument("output", type=PATH)
@click.option(
    "--sheet",
    type=PATH,
    help="Sample sheet of the run: what has labels, or scores a model, is not suggested.",
)
@options_of(SuggestOptions())
def suggest(results: Path, output: Path, sheet: Path | None, options: SuggestOptions) -> None:
    """Choose areas of the slides in RESULTS from which a model would learn most.

    OUTPUT gets for each slide the predicted objects in its areas, to be corrected in QuPath, and a sheet
    and a configuration to train on them; the last lines say how.
    """
    with frozen_imports():
        from lds_path.suggesting.suggestion import suggest as run
        from lds_path.suggesting.words import describe

    click.echo(describe(run(results, output, sheet=sheet, options=options)))
