"""What a round of `lds-path suggest` gains: areas that it names against as many areas at random.

    PYTHONPATH=tests/study:workflow/models python tests/benchmark/suggest_rounds.py --folder build/rounds

A first model learns from few patients. The slides of the others are the cohort: the model segments them, areas
of them are chosen, the reference labels inside the areas are what people correct, and the next
model starts from the first, with the first labels and those of the areas. All models are scored on slides
of other patients, which nobody corrects. The arm `none` learns as long from the first labels alone.
Each training is kept in a JSON file, so that an interrupted study goes on where it was; `--table`
prints what there is.
"""

from __future__ import annotations

import json
import shutil
import statistics
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
import numpy as np
import torch
from suggest_sets import DESIGNS, SHEET_NAME, Row, prepare, read_rows, write_sheet

from lds_path.learning.data.labelled_regions import RegionCache
from lds_path.learning.data.training_set import find_slides, open_training_set
from lds_path.learning.tuning.score import by_class, choose_regions, known, score_regions
from lds_path.models.checkpoint import load_model
from lds_path.network.device import use_threads
from lds_path.option import make_options
from lds_path.options.model import TrainOptions
from lds_path.options.suggesting import SuggestOptions
from lds_path.reference.legend import Legend
from lds_path.stages.plan import plan
from lds_path.stages.segment import segment
from lds_path.stages.stitch import stitch
from lds_path.stages.train import train
from lds_path.suggesting.suggestion import suggest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lds_path.options.suggesting import By

FIRST, NONE = "first", "none"
ARMS = ("score", "random", NONE)
"""What the areas are chosen by, as `lds-path suggest --by`; `none` has no areas."""
SCORED = 240
"""Regions that are scored at most, spread evenly."""
SETTINGS = {
    "architecture": "EfficientNetLite",
    "texture": False,
    "sampler": "uniform",
    "shared_features": False,
    "batch_size": 8,
    "device": "cpu",
}


@dataclass(frozen=True)
class Round:
    """A set with a seed: which patients are labelled first, and what else is left to chance."""

    name: str
    seed: int
    ground: Path
    """Folder of the set, with its slides, tile and detect folders."""
    folder: Path
    """Where models and results are written."""
    rows: Sequence[Row]
    first_steps: int
    """Of the first training: enough that as many steps again as a round has bring little without areas."""
    steps: int
    """Of a round."""
    threads: int

    def sheet(self) -> list[Row]:
        """Return the sheet of the first training: few patients with labels, and the cohort without."""
        learned = [row for row in self.rows if row["split"] == "train"]
        patients = sorted({row["patient"] for row in learned})
        np.random.default_rng(self.seed).shuffle(patients)
        first = patients[: DESIGNS[self.name].first]
        return [
            row if row["patient"] in first else row | {"labels": "", "split": ""} for row in learned
        ]

    def train(self, name: str, sheet: Path, start: Path | None) -> Path:
        """Return the folder of a model that learned from a sheet, trained unless it is there."""
        output = self.folder / name
        if (output / "manifest.json").exists():
            return output
        steps = self.steps if start else self.first_steps
        settings = SETTINGS | {"seed": self.seed, "steps": steps, "tune_every": steps}
        train(
            sheet,
            output,
            tile=self.ground / "tile",
            detect=self.ground / "detect",
            classes=DESIGNS[self.name].classes,
            options=make_options(
                TrainOptions(), settings | ({"start": str(start)} if start else {})
            ),
            threads=self.threads,
        )
        return output

    def score(self, model: Path) -> dict[str, float | None]:
        """Return the Dice of each class on slides of the split `test`, from regions of all of them."""
        sheet = self.folder / "test.tsv"
        scored = [row | {"split": "train"} for row in self.rows if row["split"] == "test"]
        write_sheet(sheet, scored)  # `find_slides` asks for slides to learn from
        slides = find_slides(
            sheet, base=None, tile=self.ground / "tile", detect=self.ground / "detect"
        )
        legend = Legend(DESIGNS[self.name].classes)
        found = open_training_set(slides["train"], legend, for_scores=True)
        segmenter, card = load_model(model)
        regions = choose_regions(found, SCORED)
        cache = RegionCache(regions, card.network, mib=0, for_scores=True)
        with use_threads(self.threads):
            scores = score_regions(segmenter, cache, card.lattice, torch.device("cpu"))
        return by_class(card.class_names, known(scores.dice()))

    def segment(self, model: Path) -> Path:
        """Return the results of the cohort, segmented by a model where they are missing."""
        results = self.folder / "results"
        results.mkdir(exist_ok=True)
        for stage in ("tile", "detect"):
            if not (results / stage).exists():
                (results / stage).symlink_to((self.ground / stage).absolute())
        for row in (row for row in self.sheet() if not row["labels"]):
            slide = row["slide"]
            at = {stage: results / stage / slide for stage in ("plan", "segment", "stitch")}
            if (at["stitch"] / "manifest.json").exists():
                continue
            at["segment"] /= "1-of-1"
            for output in at.values():
                output.parent.mkdir(parents=True, exist_ok=True)
            tiled, found = results / "tile" / slide, results / "detect" / slide
            plan(tiled, found, at["plan"], model=str(model), strict=True)
            segment(tiled, at["plan"], at["segment"], model=str(model), strict=True)
            stitch(tiled, found, [at["segment"]], at["stitch"], strict=True)
        return results


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--set", "names", multiple=True, default=tuple(DESIGNS), show_default=True)
@click.option("--arm", "arms", multiple=True, default=ARMS, show_default=True)
@click.option("--first-steps", default=300, show_default=True, help="Of the first training.")
@click.option("--steps", default=120, show_default=True, help="Of a round.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--threads", default=1, show_default=True)
@click.option("--table", is_flag=True, help="Train nothing, print what there is.")
def main(
    folder: Path,
    names: tuple[str, ...],
    arms: tuple[str, ...],
    first_steps: int,
    steps: int,
    seeds: int,
    threads: int,
    table: bool,
) -> None:
    """Train what is missing in FOLDER, then print the table."""
    if not table:
        for seed, name in product(range(1, seeds + 1), names):
            ground = folder / name
            work = ground / f"seed-{seed}"
            rows = prepare(name, ground)
            work.mkdir(exist_ok=True)
            one = Round(name, seed, ground, work, rows, first_steps, steps, threads)
            run_round(one, arms)
    click.echo(make_table(folder))


def run_round(one: Round, arms: Sequence[str]) -> None:
    """Train the first model and those of the arms, as far as their records are missing."""
    sheet = one.folder / SHEET_NAME
    write_sheet(sheet, one.sheet())
    record(one, FIRST, lambda: (one.train(FIRST, sheet, None), {}))
    first = one.folder / FIRST
    results = one.segment(first)
    for arm in arms:
        record(one, arm, lambda arm=arm: correct(one, arm, results, sheet, first))


def record(one: Round, arm: str, work: Callable[[], tuple[Path, dict[str, Any]]]) -> None:
    """Write the record of a training, unless it is there."""
    path = one.folder / f"{arm}.json"
    if path.exists():
        return
    model, more = work()
    steps = one.first_steps if arm == FIRST else one.steps
    found = {
        "set": one.name,
        "seed": one.seed,
        "arm": arm,
        "steps": steps,
        "dice": one.score(model),
    }
    path.write_text(json.dumps(found | more, indent=1))
    click.echo(f"{one.name}, seed {one.seed}, {arm}: {found['dice']}")


def correct(
    one: Round, arm: str, results: Path, sheet: Path, first: Path
) -> tuple[Path, dict[str, Any]]:
    """Return the model that learned also from the areas of an arm, and what these are."""
    if arm == NONE:
        return one.train(arm, sheet, first), {"corrected_mm2": 0.0}
    output = one.folder / f"areas-{arm}"
    shutil.rmtree(output, ignore_errors=True)  # of a study that was interrupted
    design = DESIGNS[one.name]
    options = SuggestOptions(
        areas=design.areas, side_um=design.side_um, by=cast("By", arm), seed=one.seed
    )
    suggest(results, output, sheet=sheet, options=options)
    truth = {row["slide"]: row["labels"] for row in one.rows}
    rows = read_rows(output / SHEET_NAME)
    corrected = [row | {"labels": truth[row["slide"]]} if row["roi"] else row for row in rows]
    write_sheet(output / SHEET_NAME, corrected)
    areas = read_rows(output / "suggested.tsv")
    sides = ((float(area["width_um"]), float(area["height_um"])) for area in areas)
    more = {
        "corrected_mm2": round(sum(width * height for width, height in sides) / 1e6, 4),
        "areas": [{key: area[key] for key in ("slide", "left_um", "top_um")} for area in areas],
    }
    return one.train(arm, output / SHEET_NAME, first), more


def make_table(folder: Path) -> str:
    """Return the study as a Markdown table: mean Dice of the classes, and what the areas gained."""
    found: dict[str, dict[int, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for path in sorted(folder.glob("*/seed-*/*.json")):
        one = json.loads(path.read_text())
        found[one["set"]][one["seed"]][one["arm"]] = one
    columns = (
        *("set", "seed", "corrected mm2", "before", "first labels again", "random", "suggested"),
        *("gain random", "gain suggested", "ratio", "ratio of the areas alone"),
    )
    lines = [f"| {' | '.join(columns)} |", "| --- | --- |" + " ---: |" * (len(columns) - 2)]
    for name, seeds in found.items():
        whole = {seed: arms for seed, arms in seeds.items() if {FIRST, *ARMS} <= set(arms)}
        rows = {
            str(seed): [
                arms["score"]["corrected_mm2"],
                *(mean_dice(arms[arm]) for arm in (FIRST, NONE, "random", "score")),
            ]
            for seed, arms in whole.items()
        }
        if len(rows) > 1:
            rows["mean"] = [statistics.fmean(column) for column in zip(*rows.values(), strict=True)]
        lines += [_line(name, seed, *row) for seed, row in rows.items()]
    return "\n".join(lines)


def mean_dice(one: dict[str, Any]) -> float:
    """Return the mean Dice of the classes that a record has."""
    return statistics.fmean(value for value in one["dice"].values() if value is not None)


def _line(
    name: str, seed: str, mm2: float, first: float, again: float, random: float, suggested: float
) -> str:
    cells = [f"{mm2:.2f}", *(f"{value:.3f}" for value in (first, again, random, suggested))]
    cells += [f"{random - first:+.3f}", f"{suggested - first:+.3f}"]
    cells += [_ratio(suggested - base, random - base) for base in (first, again)]
    return f"| {name} | {seed} | {' | '.join(cells)} |"


def _ratio(by_choice: float, by_chance: float) -> str:
    return f"{by_choice / by_chance:.2f}" if by_chance > 0 else "-"


if __name__ == "__main__":
    main()
