"""Prepare one set of the study; a job of its workflow."""

from __future__ import annotations

from pathlib import Path

import click
from sets import prepare


@click.command()
@click.argument("name")
@click.argument("folder", type=click.Path(path_type=Path))
def main(name: str, folder: Path) -> None:
    """Write the sheet, tile and detect folders of the set NAME into FOLDER."""
    prepare(name, folder)


if __name__ == "__main__":
    main()
