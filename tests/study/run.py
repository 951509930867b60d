"""Train one variant on one set with one seed and score it at full size; a job of the study."""

from __future__ import annotations

import csv
import json
import shutil
import time
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import yaml
from aliasing import finest_level_alone
from example import draw_example
from guided import score_guided
from sets import SHEET_NAME, STUDY, class_names, count_images, read_layouts, slides_of

from lds_path.option import make_options
from lds_path.options.labels import PlanOptions, SegmentOptions
from lds_path.options.model import TrainOptions
from lds_path.reference.score_table import CONFUSION_NAME, SCORES_NAME
from lds_path.reference.scores import overlap_of
from lds_path.stages.evaluate import evaluate
from lds_path.stages.plan import plan
from lds_path.stages.segment import segment
from lds_path.stages.stitch import stitch
from lds_path.stages.train import train

if TYPE_CHECKING:
    from lds_path.provenance.manifest import Manifest


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Prepared set.")
@click.option("--name", required=True, help="Of the set.")
@click.option("--variant", required=True, help="One of study.yaml.")
@click.option("--seed", type=int, required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="scores.json.")
@click.option("--split", default="test", show_default=True, help="Scored.")
@click.option("--example", type=click.Path(path_type=Path), help="JPEG of a scored image.")
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for the model.")
@click.option(
    "--model", type=click.Path(path_type=Path), help="Kept before, to score without a training."
)
@click.option("--set", "changes", multiple=True, help="KEY=VALUE of train, for a trial.")
def main(
    data: Path,
    name: str,
    variant: str,
    seed: int,
    output: Path,
    split: str,
    example: Path | None,
    keep: Path | None,
    model: Path | None,
    changes: tuple[str, ...],
) -> None:
    """Run a job and write its scores."""
    layout, settings, antialiased = read_variant(name, variant)
    settings |= {
        key: yaml.safe_load(value) for key, value in (one.split("=", 1) for one in changes)
    }
    work = output.parent / f"{output.stem}-work"
    work.mkdir(parents=True, exist_ok=True)
    with nullcontext() if antialiased else finest_level_alone():
        started = time.perf_counter()
        if model is None:
            train_variant(data, name, layout, work / "model", settings | {"seed": seed})
        else:
            shutil.copytree(model, work / "model", dirs_exist_ok=True)
        seconds = time.perf_counter() - started
        slides = slides_of(data, split)
        guided = settings.get("sample_by", "network") != "network"
        if guided:
            scores = [score_guided(data, layout, name, work / "model", slides)]
        else:
            budgets = read_budgets(name, layout)
            scores = [score(data, layout, work, slides, budget) for budget in budgets]
        for one in scores:
            one["samples"] = round(one["samples"] / count_images(name, split), 3)
    output.write_text(
        json.dumps(
            {
                "set": name,
                "variant": variant,
                "seed": seed,
                "train_seconds": round(seconds, 1) if model is None else None,
                "settings": settings,
                "classes": class_names(name),
                "layout": layout,
                "scores": scores,
            },
            indent=1,
        )
    )
    if example is not None and antialiased and not guided:
        _draw(example, data, layout, work, slides)
    if keep is not None:
        shutil.copytree(work / "model", keep, dirs_exist_ok=True)
    shutil.rmtree(work)


def read_variant(name: str, variant: str) -> tuple[str, dict[str, Any], bool]:
    """Return the layout of a variant, its parameters of `train` on a set, and if it antialiases."""
    study = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
    one = study["variants"][variant]
    merged = study["common"] | read_layouts(name)[one["layout"]].train | one["train"]
    settings = {
        key: tuple(value) if isinstance(value, list) else value for key, value in merged.items()
    }
    return one["layout"], settings, one.get("antialiased", True)


def train_variant(
    data: Path, name: str, layout: str, output: Path, settings: dict[str, Any]
) -> None:
    """Train on the regions of a layout of a prepared set."""
    train(
        data / SHEET_NAME,
        output,
        tile=data / "tile",
        detect=data / "detect" / layout,
        classes=class_names(name),
        options=make_options(TrainOptions(), {"device": "cpu"} | settings),
    )


def read_budgets(name: str, layout: str) -> list[str]:
    """Return the budgets that the models of a layout are scored with."""
    return ["uniform", *map(str, read_layouts(name)[layout].budgets)]


def score(
    data: Path, layout: str, work: Path, slides: dict[str, Path], budget: str
) -> dict[str, Any]:
    """Return how good the model is with a budget, from the pixels of all slides together."""
    by_slide = {}
    trip = np.zeros((3, 0))
    samples = 0
    for slide, labels in slides.items():
        tiled, detected = data / "tile" / slide, data / "detect" / layout / slide
        folder = work / budget
        done = run_stages(tiled, detected, work / "model", budget, folder)
        samples += done["segment"].results["samples"]
        segmented, scored = folder / "segment" / slide, folder / "evaluate" / slide
        scored.parent.mkdir(exist_ok=True)
        evaluate(tiled, detected, [segmented], folder / "stitch" / slide, labels, scored)
        by_slide[slide] = _read_confusion(scored / CONFUSION_NAME)
        shares = _read_round_trip(scored / SCORES_NAME)
        trip = shares if not trip.size else trip + shares
    pixels = overlap_of(np.sum(list(by_slide.values()), axis=0))
    hit, reference, predicted = trip
    return {
        "budget": budget,
        "samples": samples,
        "iou": pixels.iou().tolist(),
        "dice": pixels.dice().tolist(),
        "ceiling_iou": (hit / (reference + predicted - hit)).tolist(),
        "confusions": {slide: confusion.tolist() for slide, confusion in by_slide.items()},
    }


def run_stages(
    tiled: Path, detected: Path, model: Path, budget: str, folder: Path
) -> dict[str, Manifest]:
    """Plan, segment and stitch a slide into `folder/STAGE/SLIDE`, on one core; return manifests."""
    planned, segmented, stitched = (
        folder / stage / tiled.name for stage in ("plan", "segment", "stitch")
    )
    for one in (planned, segmented, stitched):
        one.parent.mkdir(parents=True, exist_ok=True)
    return {
        "plan": plan(
            tiled, detected, planned, model=str(model), options=PlanOptions(budget=budget)
        ),
        "segment": segment(
            tiled, planned, segmented, model=str(model), options=SegmentOptions(device="cpu")
        ),
        "stitch": stitch(tiled, detected, [segmented], stitched),
    }


def _draw(output: Path, data: Path, layout: str, work: Path, slides: dict[str, Path]) -> None:
    """Draw what the model did to the first image, with the smallest budget that it shared out."""
    slide, labels = next(iter(slides.items()))
    folders = sorted(
        (one for one in work.iterdir() if (one / "stitch").is_dir() and one.name.isdecimal()),
        key=lambda one: int(one.name),
    )
    folder = folders[0] if folders else work / "uniform"
    draw_example(
        output,
        data / "tile" / slide,
        data / "detect" / layout / slide,
        folder / "segment" / slide,
        folder / "stitch" / slide,
        labels,
    )


def _read_confusion(path: Path) -> np.ndarray:
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t"))[1:]
    return np.array([[int(cell) for cell in row[1:]] for row in rows])


def _read_round_trip(path: Path) -> np.ndarray:
    """Return hit, reference and predicted pixels, (3, classes), of the round trip."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    parts = ("hit", "reference", "predicted")
    return np.array([[float(row[f"round_trip_{part}_px"]) for row in rows] for part in parts])


if __name__ == "__main__":
    main()
