"""The command crate; what it needs is imported when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lds_path.options.command import PATH

if TYPE_CHECKING:
    from pathlib import Path


@click.command()
@click.argument("results", type=PATH)
@click.option(
    "--licence", default="", help="Address of the licence under which RESULTS may be used."
)
@click.option("--replace", is_flag=True, help="Replace the file of an earlier call.")
def crate(results: Path, licence: str, replace: bool) -> None:
    """Describe a run as an RO-Crate, for archives.

    RESULTS/ro-crate-metadata.json has slides and models as inputs, outputs, parameters, software and
    times. All is taken from the manifests: nothing is hashed again.
    """
    from lds_path.sharing.crate import write_crate

    click.echo(f"wrote {write_crate(results, licence=licence, replace=replace)}")
