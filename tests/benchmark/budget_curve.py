"""What samples bring: scores against budgets of the shipped models, in docs/sampling.md.

Each run is kept in a JSON file, so that an interrupted benchmark goes on where it was.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from matplotlib.figure import Figure
from page import write_section

from lds_path.models.card import find_model, read_card
from lds_path.options.labels import PlanOptions, SegmentOptions
from lds_path.options.slides import DemoOptions, DetectOptions
from lds_path.stages.demo import LABELS_NAME, SLIDE_NAME, demo
from lds_path.stages.detect import detect
from lds_path.stages.evaluate import evaluate
from lds_path.stages.plan import plan
from lds_path.stages.segment import segment
from lds_path.stages.stitch import stitch
from lds_path.stages.tile import tile

REPOSITORY = Path(__file__).parent.parent.parent
PAGE = REPOSITORY / "docs/sampling.md"
PICTURE = REPOSITORY / "docs/budgets.svg"
USUAL = "usual"
SPARSE = "sparse"
SIDES = {USUAL: (6144, 5120), SPARSE: (16384, 16384)}
SLIDES = {USUAL: (501, 502, 503, 504), SPARSE: (601,)}
"""Kind of painted slide -> seeds that no model learned from."""
_HOW = (
    "`equal` is the same lattice for every region, `shared out` what `plan` makes of as many samples"
    " in all; seconds are those of `plan` and `segment` together."
)
STRUCTURED = {USUAL: 1.0, SPARSE: 0.1}
"""Share of a slide in which there is anything but stroma."""


@dataclass(frozen=True)
class Run:
    """One way to spend samples on one slide."""

    kind: str
    seed: int
    side: int
    """Mean samples per side of a region."""
    shared: bool
    """Whether `plan` shares them out."""

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.seed}-{'shared' if self.shared else 'equal'}-{self.side}"


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--model", required=True, help="Trained with a ladder, on painted slides.")
@click.option("--threads", default=2, show_default=True)
def main(folder: Path, model: str, threads: int) -> None:
    """Measure, and write the section of docs/sampling.md on budgets."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    ladder = read_card(find_model(model)).network.ladder
    runs = [
        Run(kind, seed, side, shared)
        for kind, seeds in SLIDES.items()
        for seed in seeds
        for side in ladder[1:]
        for shared in (False, True)
    ]
    records = []
    for run in runs:
        record = folder / f"{run.name}.json"
        if not record.exists():
            click.echo(run.name)
            record.write_text(json.dumps(measure(run, folder, model, threads)))
        records.append((run, json.loads(record.read_text())))
    draw(records)
    write_section(PAGE, "budgets", describe(records, model, threads))


def measure(run: Run, folder: Path, model: str, threads: int) -> dict[str, Any]:
    """Segment a slide one way, and score it."""
    source = folder / f"{run.kind}-{run.seed}"
    width, height = SIDES[run.kind]
    if not source.exists():
        demo(
            source,
            options=DemoOptions(
                seed=run.seed, width=width, height=height, structured=STRUCTURED[run.kind]
            ),
        )
    tiled = folder / "tile" / source.name
    if not tiled.exists():
        tiled.parent.mkdir(exist_ok=True)
        tile(source / SLIDE_NAME, tiled, threads=threads)
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    regions = detect(tiled, work / "detect", options=DetectOptions(lattice=run.side))
    budget = str(run.side) if run.shared else "uniform"
    planned = plan(
        tiled,
        work / "detect",
        work / "plan",
        model=model,
        threads=threads,
        options=PlanOptions(budget=budget),
    )
    segmented = segment(
        tiled,
        work / "plan",
        work / "segment",
        model=model,
        threads=threads,
        options=SegmentOptions(device="cpu"),
    )
    stitch(tiled, work / "detect", [work / "segment"], work / "stitch", threads=threads)
    scores = evaluate(
        tiled,
        work / "detect",
        [work / "segment"],
        work / "stitch",
        source / LABELS_NAME,
        work / "evaluate",
    )
    return {
        "tissue_mm2": regions.results["tissue_mm2"],
        "samples": segmented.results["samples"],
        "seconds": planned.seconds + segmented.seconds,
        "plan_seconds": planned.seconds,
        "dice": scores.results["dice"],
    }


def table_of(records: list[tuple[Run, dict[str, Any]]], kind: str) -> list[dict[str, Any]]:
    """Return one row for each number of samples and way to share them out, means over slides."""
    rows = []
    for side in dict.fromkeys(run.side for run, _ in records):
        for shared in (False, True):
            found = [
                one
                for run, one in records
                if (run.kind, run.side, run.shared) == (kind, side, shared)
            ]
            dice = np.array([list(one["dice"].values()) for one in found], float)
            rows.append(
                {
                    "side": side,
                    "shared": shared,
                    "samples": np.mean([one["samples"] / one["tissue_mm2"] for one in found]),
                    "seconds": np.sum([one["seconds"] for one in found])
                    / np.sum([one["tissue_mm2"] for one in found]),
                    "dice": float(np.nanmean(dice)),
                    "worst": float(np.nanmin(np.nanmean(dice, axis=0))),
                }
            )
    return rows


def describe(records: list[tuple[Run, dict[str, Any]]], model: str, threads: int) -> str:
    """Return the section."""
    lines = [
        "Written by `python tests/benchmark/budget_curve.py --folder build/budgets --model MODEL`.",
        f"Model `{model}`, {threads} threads, one run each. {_HOW}",
        "",
    ]
    for kind, words in (
        (USUAL, "painted slides of 6144 x 5120 pixels that no training saw"),
        (SPARSE, "one painted slide of 16384 x 16384 pixels with structures in a tenth of it"),
    ):
        lines += [
            f"{len(SLIDES[kind])} {words}:" if kind == USUAL else f"{words[0].upper()}{words[1:]}:",
            "",
            "| mean samples a side | share | samples per mm2 | s per mm2 | mean Dice | worst class |",
            "| --- | --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {row['side']} | {'shared out' if row['shared'] else 'equal'} |"
            f" {row['samples']:,.0f} | {row['seconds']:.3f} | {row['dice']:.4f} |"
            f" {row['worst']:.4f} |"
            for row in table_of(records, kind)
        ]
        lines.append("")
    return "\n".join([*lines, "![Dice against samples](budgets.svg)"])


def draw(records: list[tuple[Run, dict[str, Any]]]) -> None:
    """Write the picture: Dice against samples and seconds, for both kinds of slide."""
    figure = Figure(figsize=(9, 6), layout="constrained")
    for row, kind in zip(figure.subplots(2, 2, sharey="row"), SLIDES, strict=True):
        for axis, column in zip(row, ("samples", "seconds"), strict=True):
            for shared, name in ((False, "equal lattices"), (True, "shared out by plan")):
                chosen = [one for one in table_of(records, kind) if one["shared"] == shared]
                axis.plot(
                    [one[column] for one in chosen],
                    [one["dice"] for one in chosen],
                    "o-",
                    label=name,
                )
            axis.set_xscale("log")
            axis.set_xlabel(f"{column} per mm²")
            axis.set_title(f"{kind} slide" if kind == SPARSE else f"{kind} slides")
        row[0].set_ylabel("mean Dice")
        row[0].legend(loc="lower right")
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
