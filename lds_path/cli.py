"""The command line: a run, one subcommand per stage, some for models, and some for what is finished.

A command parses its options, imports its stage and runs it. An error that a user can fix is
printed as one line and ends with exit code 1; any other keeps its traceback. A slide that is
quarantined ends with exit code 0: its manifest and the report say why.
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from lds_path import __version__
from lds_path.direct import commands
from lds_path.errors import exit_with_message, print_uncaught
from lds_path.options import command
from lds_path.options.command import PATH, folders, options_of, split_classes
from lds_path.options.labels import ExportOptions, PlanOptions, SegmentOptions, StitchOptions
from lds_path.options.model import TrainOptions
from lds_path.options.quality import AssessOptions, EvaluateOptions, ReportOptions
from lds_path.options.slides import DemoOptions, DetectOptions, ScreenOptions, TileOptions
from lds_path.run.gc_freeze import frozen_imports, skip_last_collection
from lds_path.run.parent_watch import end_with_run
from lds_path.run.signals import end_in_order
from lds_path.run.warm_start.command import serve_stages
from lds_path.sharing.command import crate
from lds_path.starting.command import init
from lds_path.suggesting.command import suggest
from lds_path.viewing.command import view

if TYPE_CHECKING:
    from pathlib import Path

    from lds_path.provenance.manifest import Manifest
    from lds_path.stages.plan import Forecast


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

    The command run does everything for a slide or a few. The stages are the commands from demo to
    report: each reads the folders of earlier stages and writes its own, manifest.json last. Snakemake
    runs them all; see README.md.
    """


for command_of_its_own in (commands.run, init, view, suggest, commands.models, commands.doctor):
    cli.add_command(command_of_its_own)


def main() -> None:
    """Run the command line."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("lds_path").setLevel(logging.INFO)  # of libraries, warnings only
    end_in_order()
    end_with_run()
    skip_last_collection()
    sys.excepthook = print_uncaught
    with exit_with_message():
        cli(standalone_mode=True)


def run_stage_command(name: str, **values: Any) -> None:
    """Run the stage of this name with the values of its command."""
    with frozen_imports():
        stage = getattr(import_module(f"lds_path.stages.{name}"), name)
    _print_quarantine(stage(**values))


def _print_quarantine(manifest: Manifest) -> None:
    if manifest.quarantined_by == manifest.stage:  # later stages only pass it on
        click.echo(f"{manifest.slide} is quarantined: {manifest.reason}")


@cli.command()
@click.argument("output", type=PATH)
@options_of(DemoOptions())
def demo(**values: Any) -> None:
    """Paint an H&E-like slide and its reference labels into OUTPUT."""
    run_stage_command("demo", **values)


@cli.command()
@click.argument("slide", type=command.SLIDE)
@folders("output")
@options_of(TileOptions())
@command.threads
@command.strict
def tile(**values: Any) -> None:
    """Turn SLIDE into the OME-Zarr pyramid OUTPUT/pyramid.ome.zarr."""
    run_stage_command("tile", **values)


@cli.command()
@folders("tile", "output")
@options_of(ScreenOptions())
@command.threads
@command.strict
def screen(**values: Any) -> None:
    """Find tissue and artefacts in the overview of the pyramid in TILE by a network."""
    run_stage_command("screen", **values)


@cli.command()
@folders("tile", "output")
@command.roi
@command.tissue
@command.screened
@options_of(DetectOptions())
@command.strict
def detect(**values: Any) -> None:
    """Find the tissue of the pyramid in TILE and divide it into regions."""
    run_stage_command("detect", **values)


@cli.command()
@folders("sheet", "output")
@click.option("--tile", type=PATH, required=True, help="Folder with each slide's tile folder.")
@click.option("--detect", type=PATH, required=True, help="Folder with each slide's detect folder.")
@click.option("--base", type=PATH, help="Start of relative paths; default: the sheet's folder.")
@click.option("--state", type=PATH, help="Folder from which an interrupted training resumes.")
@command.classes
@options_of(TrainOptions())
@command.threads
def train(classes: tuple[str, ...], **values: Any) -> None:
    """Train a model on the slides with labels in SHEET; OUTPUT becomes a model folder."""
    colors = split_classes(classes)
    values |= {"classes": tuple(colors), "colors": tuple(colors.values())}
    run_stage_command("train", **values)


@cli.command()
@folders("tile", "detect", "output?")
@command.model
@options_of(PlanOptions())
@click.option("--what-if", is_flag=True, help="Print what each budget would cost; no OUTPUT.")
@command.forecast_device
@command.threads
@command.strict
def plan(options: PlanOptions, what_if: bool, device: str, **values: Any) -> None:
    """Distribute a budget of samples over the regions of a slide, where they save most error."""
    if not what_if and values["output"] is None:
        raise click.UsageError("name the folder OUTPUT to write, or add --what-if")
    if not what_if:
        return run_stage_command("plan", options=options, **values)
    with frozen_imports():
        from lds_path.stages.plan import what_if as forecast

    inputs = {name: values[name] for name in ("tile", "detect", "model", "threads")}
    budgets = () if options == PlanOptions() else (options.budget,)
    _print_forecasts(forecast(**inputs, budgets=budgets, device=device))


def _print_forecasts(forecasts: list[Forecast]) -> None:
    click.echo("budget      samples    seconds  expected error  with equal lattices")
    for row in forecasts:
        equal = "" if row.uniform_error is None else f"{row.uniform_error:.1%}"
        start = f"{row.budget:<9} {row.samples:>9,}  {row.seconds:>9.1f}"
        click.echo(f"{start}  {row.error:>14.1%}  {equal:>19}")
    click.echo(
        "Errors are relative to the smallest lattice in every region; seconds are those of segment."
    )


@cli.command()
@folders("tile", "plan", "output")
@command.model
@command.classes
@options_of(SegmentOptions())
@command.threads
@command.strict
def segment(classes: tuple[str, ...], **values: Any) -> None:
    """Run a model on the regions of a slide and write OUTPUT/predictions.npz."""
    values["classes"] = tuple(split_classes(classes)) or None
    _import_network(values["tile"], values["plan"])
    run_stage_command("segment", **values)


def _import_network(*folders: Path) -> None:
    """Import the network with `frozen_imports`, for a slide that the stage analyses."""
    from lds_path.provenance.stage_run import is_quarantined

    if not is_quarantined(*folders):
        with frozen_imports():
            import_module("lds_path.inference.runner")
            import_module("lds_path.models.checkpoint")


@cli.command()
@folders("tile", "detect", "segment...", "output")
@options_of(StitchOptions())
@command.threads
@command.strict
def stitch(**values: Any) -> None:
    """Combine the predictions in all SEGMENT folders into the label image of the slide."""
    run_stage_command("stitch", **values)


@cli.command()
@folders("stitch", "output")
@options_of(ExportOptions())
@click.option(
    "--detect", type=PATH, help="Folder of detect, to export outlines of tissue and regions too."
)
@command.threads
@command.strict
def export(**values: Any) -> None:
    """Turn the label image in STITCH into objects for QuPath."""
    run_stage_command("export", **values)


@cli.command()
@folders("tile", "detect", "segment...", "stitch", "output")
@options_of(AssessOptions())
@command.screened
@command.strict
def assess(**values: Any) -> None:
    """Judge the analysis of a slide and draw its pictures."""
    run_stage_command("assess", **values)


@cli.command()
@folders("tile", "detect", "segment...", "stitch", "labels", "output")
@command.roi
@options_of(EvaluateOptions())
@command.strict
def evaluate(**values: Any) -> None:
    """Score the label image in STITCH against the reference LABELS: GeoJSON or label image."""
    run_stage_command("evaluate", **values)


@cli.command()
@folders("results", "output")
@click.argument("slides", nargs=-1)
@click.option(
    "--sheet",
    type=PATH,
    help="Sample sheet, for batches and stains, and for the slides if no SLIDES are given.",
)
@options_of(ReportOptions())
@command.threads
def report(**values: Any) -> None:
    """Write the pages and the table of a cohort; RESULTS holds the folders of its stages.

    It can run at any time: slides that are not done are listed with the stage that is missing.
    """
    with frozen_imports():
        from lds_path.stages.report import report as run

    _print_quarantine(run(**values))
    click.echo((values["output"] / "summary.txt").read_text(encoding="utf-8"))


@cli.command()
@click.argument("model")
def describe(model: str) -> None:
    """Describe MODEL: the id of a shipped model, or a model folder."""
    from lds_path.models.card import find_model, read_card
    from lds_path.models.description import describe as run

    folder = find_model(model)
    click.echo(run(read_card(folder), folder), nl=False)


@cli.command()
@click.argument("model")
@click.argument("output", type=PATH)
def bundle(model: str, output: Path) -> None:
    """Write MODEL, an id or a folder, as a MONAI bundle into the folder OUTPUT."""
    with frozen_imports():
        from lds_path.models.bundle import write_bundle
    from lds_path.models.card import find_model

    write_bundle(find_model(model), output)


@cli.command()
@click.argument("model")
@click.argument("sheet", type=PATH)
@click.option("--tile", type=PATH, required=True, help="Folder with each slide's tile folder.")
@click.option("--detect", type=PATH, required=True, help="Folder with each slide's detect folder.")
@click.option("--base", type=PATH, help="Start of relative paths; default: the sheet's folder.")
def measure(**values: Any) -> None:
    """Store in the card of MODEL what its training slides, those of SHEET, look like.

    Training does so itself; this is for models from before it did. The weights stay as they are.
    """
    with frozen_imports():
        from lds_path.learning.measuring import measure as run

    found = run(**values)
    for name, spread in vars(found).items():
        known = "too little to tell" if spread is None else f"limit {spread.limit:g}"
        click.echo(f"{name}: {known}")


@cli.command("dicom-seg")
@click.argument("results", type=PATH)
@click.argument("slide")
@click.argument("output", type=PATH)
@click.option(
    "--level", type=int, help="Of the slide, 0 the finest; default: nearest to the labels."
)
@click.option("--source", type=PATH, help="A file of the slide, where it is not where it was.")
def dicom_seg(
    results: Path, slide: str, output: Path, level: int | None, source: Path | None
) -> None:
    """Write the labels of a DICOM slide as a DICOM segmentation.

    SLIDE is the id of a slide of RESULTS, OUTPUT a new file. Needs highdicom.
    """
    with frozen_imports():
        from lds_path.api import open_result

    logging.getLogger("highdicom").setLevel(logging.WARNING)  # it tells of every module
    open_result(results, slide).to_dicom_seg(output, slide=source, level=level)
    click.echo(f"wrote {output}")


cli.add_command(crate)
cli.add_command(serve_stages)


@cli.command()
@click.argument("results", type=PATH)
@click.option("--slides/--no-slides", default=True, show_default=True, help="Read inputs again.")
@click.option("--versions/--no-versions", default=True, show_default=True, help="Compare them.")
@command.threads
def verify(**values: Any) -> None:
    """Check everything that stages wrote below RESULTS: hashes of inputs and outputs, versions.

    Lists whatever does not match, and then ends with exit code 1.
    """
    from lds_path.provenance.verification import verify as run

    verification = run(**values)
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
