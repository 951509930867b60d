"""The command line: one subcommand per stage, two for models, and two for provenance.

A command parses its options, imports its stage and runs it. What a user can mend is printed as
one line and ends with exit code 1; anything else keeps its traceback. A slide that was put in
quarantine ends with exit code 0: its manifest and the report say why.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click

from lds_path import __version__, options
from lds_path.errors import LdsPathError, is_lack_of_memory
from lds_path.options import PATH, split_class_map, split_classes
from lds_path.run.gc_freeze import end_unsearched, unsearched
from lds_path.run.parent_watch import end_with_run

if TYPE_CHECKING:
    from pathlib import Path

    from lds_path.provenance.manifest import Manifest
    from lds_path.stages.plan import Forecast

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


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

    Each command but the last four is one stage: it reads the folders of earlier stages and writes
    its own, with a manifest.json last. Snakemake runs them all; see README.md.
    """


def main() -> None:
    """Run the command line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    end_with_run()
    end_unsearched()
    try:
        cli(standalone_mode=True)
    except LdsPathError as error:
        sys.exit(f"Error: {error}")
    except Exception as error:
        if is_lack_of_memory(error):
            _end_without_memory(error)
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            sys.exit(f"Error: {error.filename or 'the output'} cannot be written: {error.strerror}")
        raise


def _end_without_memory(error: BaseException) -> NoReturn:
    """Print one line and end at once: what libraries do at the end may need memory, too."""
    finding = " ".join(str(error).split())[:200] or "nothing is left"
    sys.stderr.write(
        f"Error: not enough memory ({finding}); give the job more, such as by mem_mb of its rule,"
        " or run fewer jobs at a time\n"
    )
    sys.stderr.flush()
    os._exit(1)


def _finish(manifest: Manifest) -> None:
    if manifest.quarantined:
        click.echo(f"{manifest.slide} is quarantined: {manifest.reason}")


@cli.command()
@click.argument("output", type=PATH)
@click.option("--seed", default=1, show_default=True, help="The same seed paints the same slide.")
@click.option("--width", default=6144, show_default=True, help="Pixels of 0.5 um.")
@click.option("--height", default=5120, show_default=True, help="Pixels of 0.5 um.")
@click.option("--structured", default=1.0, show_default=True, help="Share with more than stroma.")
def demo(**options: Any) -> None:
    """Paint an H&E-like slide and its reference labels into OUTPUT."""
    with unsearched():
        from lds_path.stages.demo import demo as run

    _finish(run(**options))


@cli.command()
@click.argument("slide", type=PATH)
@click.argument("output", type=PATH)
@click.option("--mpp", default=0.5, show_default=True, help="Working resolution, um per pixel.")
@click.option("--slide-mpp", type=float, help="The slide's own um per pixel, over the file's.")
@click.option(
    "--max-unreadable-percent",
    default=20.0,
    show_default=True,
    help="Tiles of the slide that may fail to decode; they become white.",
)
@options.threads
@options.strict
def tile(**options: Any) -> None:
    """Turn SLIDE into the OME-Zarr pyramid OUTPUT/pyramid.ome.zarr."""
    with unsearched():
        from lds_path.stages.tile import tile as run

    _finish(run(**options))


@cli.command()
@click.argument("tile", type=PATH)
@click.argument("output", type=PATH)
@options.roi
@click.option("--tissue-mpp", default=8.0, show_default=True, help="Look for tissue at this mpp.")
@click.option("--min-tissue-um2", default=20000.0, show_default=True, help="Smaller is a speck.")
@click.option("--max-hole-um2", default=20000.0, show_default=True, help="Smaller is filled.")
@click.option("--region-size", default=2048, show_default=True, help="Side, working pixels.")
@click.option("--overlap", default=256, show_default=True, help="Of regions, working pixels.")
@click.option("--lattice", default=256, show_default=True, help="Samples per side of a region.")
@options.strict
def detect(**options: Any) -> None:
    """Find the tissue of the pyramid in TILE and divide it into regions."""
    with unsearched():
        from lds_path.stages.detect import detect as run

    _finish(run(**options))


@cli.command()
@click.argument("sheet", type=PATH)
@click.argument("output", type=PATH)
@click.option("--tile", type=PATH, required=True, help="Folder with each slide's tile folder.")
@click.option("--detect", type=PATH, required=True, help="Folder with each slide's detect folder.")
@click.option("--base", type=PATH, help="Start of relative paths; default: the sheet's folder.")
@click.option("--state", type=PATH, help="Where an interrupted training goes on from.")
@options.classes
@options.labels
@options.network
@options.recipe
@options.card
@options.device
@options.threads
def train(**options: Any) -> None:
    """Train a model on the slides with labels in SHEET; OUTPUT becomes a model folder."""
    with unsearched():
        from lds_path.stages.train import train as run

    named = split_classes(options.pop("classes"))
    options["class_map"] = split_class_map(options["class_map"])
    _finish(run(**options, classes=tuple(named), colors=tuple(named.values())))


@cli.command()
@click.argument("tile", type=PATH)
@click.argument("detect", type=PATH)
@click.argument("output", type=PATH, required=False)
@click.option("--model", required=True, help="Id of a shipped model, or a model folder.")
@click.option(
    "--budget",
    default="uniform",
    show_default=True,
    help="uniform, mean samples per side of a region such as 128, or 20000/mm2 of tissue.",
)
@click.option("--what-if", is_flag=True, help="Print what each budget would cost; no OUTPUT.")
@click.option("--device", default="auto", show_default=True, help="Of --what-if: as for segment.")
@options.threads
@options.strict
def plan(output: Path | None, what_if: bool, **options: Any) -> None:
    """Give each region of a slide the samples that serve it best, within a budget."""
    with unsearched():
        from lds_path.stages.plan import plan as run
        from lds_path.stages.plan import what_if as forecast

    if what_if:
        options.pop("strict")
        budget = options.pop("budget")
        _print_forecasts(forecast(**options, budgets=() if budget == "uniform" else (budget,)))
    elif output is None:
        raise click.UsageError("name the folder OUTPUT to write, or ask --what-if")
    else:
        options.pop("device")
        _finish(run(**options, output=output))


def _print_forecasts(forecasts: list[Forecast]) -> None:
    click.echo("budget      samples    seconds  expected error  with equal lattices")
    for one in forecasts:
        even = "" if one.uniform_error is None else f"{one.uniform_error:.1%}"
        click.echo(
            f"{one.budget:<9} {one.samples:>9,}  {one.seconds:>9.1f}  {one.error:>14.1%}  {even:>19}"
        )
    click.echo(
        "Errors are shares of that on the smallest lattice everywhere; seconds are of segment."
    )


@cli.command()
@click.argument("tile", type=PATH)
@click.argument("plan", type=PATH)
@click.argument("output", type=PATH)
@click.option("--model", required=True, help="Id of a shipped model, or a model folder.")
@options.classes
@click.option("--shard", default="1-of-1", show_default=True, help="Take every n-th region.")
@click.option("--batch-size", default=8, show_default=True, help="Regions at a time on a GPU.")
@options.device
@options.threads
@options.strict
def segment(**options: Any) -> None:
    """Run a model on the regions of a slide and write OUTPUT/predictions.npz."""
    with unsearched():
        from lds_path.stages.segment import segment as run

    named = split_classes(options.pop("classes"))
    _finish(run(**options, classes=tuple(named) or None, importing=unsearched))


@cli.command()
@click.argument("tile", type=PATH)
@click.argument("detect", type=PATH)
@click.argument("segment", type=PATH, nargs=-1, required=True)
@click.argument("output", type=PATH)
@click.option("--mpp", type=float, help="Of the label image; default: the working resolution.")
@click.option(
    "--confidence", type=bool, default=False, show_default=True, help="As OME-TIFF too, for QuPath."
)
@click.option(
    "--density",
    type=bool,
    default=False,
    show_default=True,
    help="Of the samples, as OME-TIFF, for QuPath.",
)
@click.option("--zarr", type=click.Choice(["0.5", "0.4"]), help="Labels as OME-Zarr too; NGFF.")
@options.threads
@options.strict
def stitch(**options: Any) -> None:
    """Join the predictions in all SEGMENT folders into the label image of the slide."""
    with unsearched():
        from lds_path.stages.stitch import stitch as run

    options["segment"] = list(options["segment"])
    _finish(run(**options))


@cli.command()
@click.argument("stitch", type=PATH)
@click.argument("output", type=PATH)
@click.option("--tolerance-um", default=1.0, show_default=True, help="Outlines may deviate by it.")
@click.option("--min-object-um2", default=50.0, show_default=True, help="Smaller is dropped.")
@click.option("--max-hole-um2", default=50.0, show_default=True, help="Smaller is filled.")
@click.option(
    "--annotation-um2",
    default=50000.0,
    show_default=True,
    help="Larger objects become annotations, smaller ones detections.",
)
@click.option(
    "--frame",
    type=click.Choice(["bounds", "level0"]),
    default="bounds",
    show_default=True,
    help="bounds is QuPath's frame for slides that it opens with OpenSlide.",
)
@click.option("--dsa", type=bool, default=False, show_default=True, help="Objects for DSA too.")
@click.option("--detect", type=PATH, help="Folder of detect: outlines of tissue and regions too.")
@options.threads
@options.strict
def export(**options: Any) -> None:
    """Turn the label image in STITCH into objects for QuPath."""
    with unsearched():
        from lds_path.stages.export import export as run

    _finish(run(**options))


@cli.command()
@click.argument("tile", type=PATH)
@click.argument("detect", type=PATH)
@click.argument("segment", type=PATH, nargs=-1, required=True)
@click.argument("stitch", type=PATH)
@click.argument("output", type=PATH)
@click.option("--min-confidence", default=0.5, show_default=True, help="Below it is uncertain.")
@click.option("--max-blur", default=0.5, show_default=True, help="Above it is out of focus.")
@options.thresholds
@options.strict
def assess(**options: Any) -> None:
    """Judge the analysis of a slide and draw what was found."""
    with unsearched():
        from lds_path.stages.assess import assess as run

    options["segment"] = list(options["segment"])
    _finish(run(**options))


@cli.command()
@click.argument("tile", type=PATH)
@click.argument("detect", type=PATH)
@click.argument("segment", type=PATH, nargs=-1, required=True)
@click.argument("stitch", type=PATH)
@click.argument("labels", type=PATH)
@click.argument("output", type=PATH)
@options.roi
@options.labels
@click.option("--boundary-um", default=5.0, show_default=True, help="Band of the boundary IoU.")
@options.strict
def evaluate(**options: Any) -> None:
    """Score the label image in STITCH against the reference LABELS: GeoJSON or label image."""
    with unsearched():
        from lds_path.stages.evaluate import evaluate as run

    options["segment"] = list(options["segment"])
    options["class_map"] = split_class_map(options["class_map"])
    _finish(run(**options))


@cli.command()
@click.argument("results", type=PATH)
@click.argument("output", type=PATH)
@click.argument("slides", nargs=-1)
@click.option("--sheet", type=PATH, help="Sample sheet, for batches, and slides if none are named.")
def report(**options: Any) -> None:
    """Write the pages and the table of a cohort; RESULTS holds the folders of its stages.

    At any time: slides that are not done are named with the stage that is missing.
    """
    with unsearched():
        from lds_path.stages.report import report as run

    _finish(run(**options))
    click.echo((options["output"] / "summary.txt").read_text(encoding="utf-8"))


@cli.command()
@click.argument("model")
def describe(model: str) -> None:
    """Print what MODEL is: the id of a shipped model, or a model folder."""
    from lds_path.models.card import find_model, read_card
    from lds_path.models.description import describe as run

    folder = find_model(model)
    click.echo(run(read_card(folder), folder), nl=False)


@cli.command()
@click.argument("model")
@click.argument("output", type=PATH)
def bundle(model: str, output: Path) -> None:
    """Write MODEL, an id or a folder, as a MONAI bundle into the folder OUTPUT."""
    with unsearched():
        from lds_path.models.bundle import write_bundle
    from lds_path.models.card import find_model

    write_bundle(find_model(model), output)


@cli.command()
@click.argument("results", type=PATH)
@click.option("--slides/--no-slides", default=True, show_default=True, help="Read inputs again.")
@click.option("--versions/--no-versions", default=True, show_default=True, help="Compare them.")
@options.threads
def verify(**options: Any) -> None:
    """Check all that stages wrote below RESULTS: hashes of inputs and outputs, versions.

    Lists what does not match, and then ends with exit code 1.
    """
    from lds_path.provenance.verification import verify as run

    verification = run(**options)
    for finding in verification.findings:
        click.echo(str(finding))
    click.echo(str(verification))
    sys.exit(1 if verification.findings else 0)


@cli.command()
@click.argument("file", type=PATH)
def explain(file: Path) -> None:
    """Print how FILE was made: slide, model, commands, parameters, versions."""
    from lds_path.provenance.explanation import explain as run

    click.echo(run(file), nl=False)


if __name__ == "__main__":
    main()
