"""The command init; what it needs is imported when it is called."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

import click

from lds_path.options.command import PATH

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("folder", type=PATH)
@click.option(
    "--model",
    default="demo",
    show_default=True,
    help="Id of a shipped model (see `lds-path models`), or a model folder.",
)
def init(folder: Path, model: str) -> None:
    """Make FOLDER a place to run the workflow in, by Snakemake.

    It gets a sample sheet, config.yaml, a Snakefile that includes the workflow of this package, and
    profiles for this computer and for a SLURM cluster. Nothing is overwritten.
    """
    from lds_path.starting.working_folder import CONFIG_NAME, SHEET_NAME, make_working_folder

    written = make_working_folder(folder, model)
    click.echo(f"{folder}: {', '.join(written)}")
    click.echo(
        f"List your slides in {folder / SHEET_NAME}, choose the model in {folder / CONFIG_NAME}, and run:\n"
        f"  cd {quote(str(folder))}\n"
        "  snakemake --cores all\n"
        "or, first, with two painted slides and the model for them:\n"
        "  snakemake --cores all --config slides=demo model=demo"
    )
