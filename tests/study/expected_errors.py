"""How well a model with a ladder knows its errors on slides that neither taught nor tuned it.

    python tests/study/run.py ... --variant allocation-and-warp --keep build/parts
    PYTHONPATH=tests/study python tests/study/expected_errors.py --model build/parts --data build/study/sets/colon

Without `--data` the slides are four painted ones, for the shipped model `demo`. It prints the rank correlation over
regions of predicted and true errors on each lattice, and of what the next one saves, and draws both as the training does for its slides to tune by.
"""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import click
import numpy as np
import torch
from scipy.stats import spearmanr
from sets import PAINTED_SEEDS, SHEET_NAME

from lds_path.learning.data.labelled_regions import RegionCache
from lds_path.learning.data.training_set import find_slides, open_training_set
from lds_path.learning.tuning.calibration import calibrate
from lds_path.learning.tuning.calibration_picture import draw_calibration
from lds_path.models.card import ModelCard, find_model
from lds_path.models.checkpoint import load_model
from lds_path.options.slides import DemoOptions, DetectOptions
from lds_path.reference.legend import Legend
from lds_path.stages.demo import LABELS_NAME, SLIDE_NAME, demo
from lds_path.stages.detect import detect
from lds_path.stages.tile import tile

SLIDES = 4
SIDE = 6144
CACHE_MIB = 4096


@click.command()
@click.option("--model", default="demo", show_default=True, help="Id or folder; has a ladder.")
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="Prepared set.")
@click.option("--layout", default="parts", show_default=True)
@click.option("--picture", type=click.Path(path_type=Path), help="PNG to draw.")
def main(model: str, data: Path | None, layout: str, picture: Path | None) -> None:
    """Print the rank correlations of MODEL, and draw them."""
    segmenter, card = load_model(find_model(model))
    with tempfile.TemporaryDirectory() as scratch:
        base = data or paint(Path(scratch) / "painted", card, layout)
        sheet = Path(scratch) / SHEET_NAME
        score_on_test(base / SHEET_NAME, sheet)
        found = find_slides(sheet, tile=base / "tile", detect=base / "detect" / layout, base=base)
        legend = Legend(card.class_names)
        regions = open_training_set(found["tune"], legend, threads=1, for_scores=True).regions
        cache = RegionCache(regions, card.network, mib=CACHE_MIB, for_scores=True)
        result = calibrate(segmenter, cache, torch.device("cpu"))
    labelled = result.area > 0
    expected, measured = result.expected[labelled], result.measured[labelled]
    click.echo(f"{len(expected)} regions\n| samples a side | error | saved by the next |")
    click.echo("| --- | ---: | ---: |")
    saved = [-np.diff(values, axis=1) for values in (expected, measured)]
    for rung, side in enumerate(result.ladder):
        pairs = (
            [(expected, measured), saved]
            if rung + 1 < len(result.ladder)
            else [(expected, measured)]
        )
        cells = [f"{spearmanr(one[:, rung], other[:, rung]).statistic:.2f}" for one, other in pairs]
        click.echo(f"| {side} | {' | '.join(cells)} |")
    if picture is not None:
        draw_calibration(picture, result.ladder, expected, measured, result.dice.tolist())


def paint(folder: Path, card: ModelCard, layout: str) -> Path:
    """Return a folder with painted slides, as `prepare` writes a set, cut as the model wants it."""
    folder.mkdir()
    rows = [("slide", "path", "labels", "split")]
    first = PAINTED_SEEDS["test"]
    for seed in range(first, first + SLIDES + 1):
        name = f"painted-{seed}"
        options = DemoOptions(seed=seed, width=SIDE, height=SIDE)
        demo(folder / name, options=options)
        tiled, detected = folder / "tile" / name, folder / "detect" / layout / name
        for output in (tiled, detected):
            output.parent.mkdir(parents=True, exist_ok=True)
        tile(folder / name / SLIDE_NAME, tiled)
        cut = DetectOptions(
            region_size=card.region_size.width, overlap=0, lattice=card.lattice.width
        )
        detect(tiled, detected, options=cut)
        split = "test" if len(rows) <= SLIDES else "train"  # no sheet without one to learn from
        rows.append((name, f"{name}/{SLIDE_NAME}", f"{name}/{LABELS_NAME}", split))
    with (folder / SHEET_NAME).open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, delimiter="\t").writerows(rows)
    return folder


def score_on_test(source: Path, sheet: Path) -> None:
    """Write a sheet in which the slides of `test` are those to tune by."""
    with source.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream, delimiter="\t") if row["split"] != "tune"]
    with sheet.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], delimiter="\t")
        writer.writeheader()
        writer.writerows(row | {"split": row["split"].replace("test", "tune")} for row in rows)


if __name__ == "__main__":
    main()
