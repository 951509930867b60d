"""The command line: one subcommand per stage.

A command parses its options, imports its stage and runs it. What a user can mend is printed as
one line and ends with exit code 1; anything else keeps its traceback. A slide that was put in
quarantine ends with exit code 0: its manifest and the report say why.
"""

from __future__ import annotations

import errno
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lds_path import __version__
from lds_path.errors import LdsPathError

if TYPE_CHECKING:
    from lds_path.formats.manifest import Manifest

PATH = click.Path(path_type=Path)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)

strict = click.option("--strict", is_flag=True, help="Fail instead of quarantining the slide.")
threads = click.option("--threads", default=1, show_default=True, help="Threads to use.")
roi = click.option("--roi", type=PATH, help="GeoJSON polygons to stay within, as QuPath saves them.")
device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="auto takes a CUDA GPU where there is one.",
)
classes = click.option(
    "--class",
    "classes",
    multiple=True,
    metavar="NAME=COLOR",
    help='Name and colour of a class, such as "Tumor=#D55E00"; repeat it in label order.',
)


class Commands(click.Group):
    """Subcommands in the order of the workflow."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the subcommands as they are defined."""
        del ctx
        return list(self.commands)


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="lds-path")
def cli() -> None:
    """Whole-slide segmentation that spends its samples where the tissue needs them.

    Each command is one stage: it reads the folders of earlier stages and writes its own, with a
    manifest.json last. Snakemake runs them all; see README.md.
    """


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        cli(standalone_mode=True)
    except LdsPathError as error:
        sys.exit(f"Error: {error}")
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        sys.exit(f"Error: {error.filename or 'the output'} cannot be written: {error.strerror}")


def _finish(manifest: Manifest) -> None:
    if manifest.quarantined:
        click.echo(f"{manifest.slide} is quarantined: {manifest.reason}")


@cli.command()
@click.argument("output", type=PATH)
@click.option("--seed", default=1, show_default=True, help="The same seed paints the same slide.")
@click.option("--width", default=6144, show_default=True, help="Pixels of 0.5 um.")
@click.option("--height", default=5120, show_default=True, help="Pixels of 0.5 um.")
def demo(**options: Any) -> None:
    """Paint an H&E-like slide and its reference labels into OUTPUT."""
    from lds_path.stages.demo import demo as run

    _finish(run(**options))


@cli.command()
@click.argument("slide", type=PATH)
@click.argument("output", type=PATH)
@click.option("--mpp", default=0.5, show_default=True, help="Working resolution, um per pixel.")
@click.option("--slide-mpp", type=float, help="The slide's own um per pixel, over the file's.")
@threads
@strict
def tile(**options: Any) -> None:
    """Turn SLIDE into the OME-Zarr pyramid OUTPUT/pyramid.ome.zarr."""
    from lds_path.stages.tile import tile as run

    _finish(run(**options))


@cli.command()
@click.argument("tile", type=PATH)
@click.argument("output", type=PATH)
@roi
@click.option("--tissue-mpp", default=8.0, show_default=True, help="Look for tissue at this mpp.")
@click.option("--min-tissue-um2", default=20000.0, show_default=True, help="Smaller is a speck.")
@click.option("--max-hole-um2", default=20000.0, show_default=True, help="Smaller is filled.")
@click.option("--region-size", default=2048, show_default=True, help="Side, working pixels.")
@click.option("--overlap", default=256, show_default=True, help="Of regions, working pixels.")
@click.option("--lattice", default=256, show_default=True, help="Samples per side of a region.")
@strict
def detect(**options: Any) -> None:
    """Find the tissue of the pyramid in TILE and divide it into regions."""
    from lds_path.stages.detect import detect as run

    _finish(run(**options))


if __name__ == "__main__":
    main()
