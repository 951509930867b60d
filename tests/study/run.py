"""Train one variant on one set with one seed and score it at full size; a job of the study."""

from __future__ import annotations

import csv
import json
import shutil
import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import yaml
from sets import SHEET_NAME, class_names, slides_of

from lds_path.formats.score_table import CONFUSION_NAME, SCORES_NAME
from lds_path.scores import overlap_of
from lds_path.stages.evaluate import evaluate
from lds_path.stages.segment import segment
from lds_path.stages.stitch import stitch
from lds_path.stages.train import train

STUDY = Path(__file__).parent / "study.yaml"


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Prepared set.")
@click.option("--name", required=True, help="Of the set.")
@click.option("--variant", required=True, help="One of study.yaml.")
@click.option("--seed", type=int, required=True)
@click.option("--output", type=click.Path(path_type=Path), required=True, help="scores.json.")
@click.option("--split", default="test", show_default=True, help="Scored.")
@click.option("--set", "changes", multiple=True, help="KEY=VALUE of train, for a trial.")
def main(
    data: Path,
    name: str,
    variant: str,
    seed: int,
    output: Path,
    split: str,
    changes: tuple[str, ...],
) -> None:
    """Run a job and write its scores."""
    settings = read_settings(name, variant) | {
        key: yaml.safe_load(value) for key, value in (one.split("=", 1) for one in changes)
    }
    work = output.parent / f"{output.stem}-work"
    work.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    train(
        data / SHEET_NAME,
        work / "model",
        tile=data / "tile",
        detect=data / "detect",
        classes=class_names(name),
        device="cpu",
        seed=seed,
        **settings,
    )
    seconds = time.perf_counter() - started
    scores = score(data, work, slides_of(data, split))
    output.write_text(
        json.dumps(
            {
                "set": name,
                "variant": variant,
                "seed": seed,
                "train_seconds": round(seconds, 1),
                "settings": settings,
                "classes": class_names(name),
                **scores,
            },
            indent=1,
        )
    )
    shutil.rmtree(work)


def read_settings(name: str, variant: str) -> dict[str, Any]:
    """Return the parameters of `train` for a variant on a set."""
    study = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
    merged = study["common"] | study["sets"][name]["train"] | study["variants"][variant]
    return {
        key: tuple(value) if isinstance(value, list) else value for key, value in merged.items()
    }


def score(data: Path, work: Path, slides: dict[str, Path]) -> dict[str, Any]:
    """Return the pixels of each class and the sums that scores of all slides are made of."""
    confusion = 0
    trip = np.zeros((3, 0))
    seconds = 0.0
    for slide, labels in slides.items():
        folders = {stage: work / stage / slide for stage in ("segment", "stitch", "evaluate")}
        for folder in folders.values():
            folder.parent.mkdir(exist_ok=True)
        tiled, detected = data / "tile" / slide, data / "detect" / slide
        started = time.perf_counter()
        segment(tiled, detected, folders["segment"], model=str(work / "model"), device="cpu")
        stitch(tiled, detected, [folders["segment"]], folders["stitch"])
        seconds += time.perf_counter() - started
        evaluate(
            tiled, detected, [folders["segment"]], folders["stitch"], labels, folders["evaluate"]
        )
        confusion = confusion + _read_confusion(folders["evaluate"] / CONFUSION_NAME)
        found = _read_round_trip(folders["evaluate"] / SCORES_NAME)
        trip = found if not trip.size else trip + found
    pixels = overlap_of(np.asarray(confusion))
    hit, reference, predicted = trip
    return {
        "iou": pixels.iou().tolist(),
        "dice": pixels.dice().tolist(),
        "ceiling_iou": (hit / (reference + predicted - hit)).tolist(),
        "confusion": np.asarray(confusion).tolist(),
        "segment_stitch_seconds": round(seconds, 2),
    }


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
