"""What flips and further models bring to a model, and what they cost, on labelled slides.

    python tests/benchmark/ensembles.py SHEET TILE DETECT --model MODEL --also MODEL --also MODEL

SHEET, TILE and DETECT are those of a training of the workflow. Prints the Dice of each class, from the
pixels of all slides of a split together, and the seconds of processor time of `segment`.
"""

from __future__ import annotations

import csv
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from lds_path.models.card import find_model, read_card
from lds_path.options.labels import SegmentOptions
from lds_path.reference.score_table import CONFUSION_NAME
from lds_path.reference.scores import overlap_of
from lds_path.run.sheet import read_sheet
from lds_path.stages.evaluate import evaluate
from lds_path.stages.segment import segment
from lds_path.stages.stitch import stitch

EXISTING = click.Path(exists=True, path_type=Path)


@dataclass(frozen=True)
class Slide:
    """A labelled slide and what its stages left."""

    name: str
    tile: Path
    detect: Path
    labels: Path


@click.command()
@click.argument("sheet", type=EXISTING)
@click.argument("tile", type=EXISTING)
@click.argument("detect", type=EXISTING)
@click.option("--model", required=True)
@click.option("--also", multiple=True, help="Further models of the same classes.")
@click.option("--split", default="test", show_default=True)
@click.option("--threads", default=2, show_default=True)
def main(
    sheet: Path,
    tile: Path,
    detect: Path,
    model: str,
    also: tuple[str, ...],
    split: str,
    threads: int,
) -> None:
    """Print a line for each model alone, with flips, and for all models together."""
    rows = read_sheet(sheet).query("split == @split")
    slides = [
        Slide(name, tile / name, detect / name, sheet.parent / labels)
        for name, labels in zip(rows["slide"], rows["labels"], strict=True)
    ]
    asked = {one: (one, SegmentOptions(device="cpu")) for one in (model, *also)}
    asked[f"{model}, flips"] = model, SegmentOptions(device="cpu", flips=True)
    if also:
        asked["together"] = model, SegmentOptions(device="cpu", also=also)
    classes = read_card(find_model(model)).class_names
    for name, (first, options) in asked.items():
        dice, seconds = measure(slides, first, options, threads)
        told = ", ".join(f"{one} {value:.4f}" for one, value in zip(classes, dice, strict=True))
        click.echo(f"{name}: {told}; mean {np.nanmean(dice):.4f}; {seconds:.0f} s")


def measure(
    slides: list[Slide], model: str, options: SegmentOptions, threads: int
) -> tuple[list[float], float]:
    """Return the Dice of each class and the processor time of `segment` on all slides."""
    confusion, seconds = np.zeros(()), 0.0
    with tempfile.TemporaryDirectory() as scratch:
        for slide in slides:
            segmented, stitched, scored = (
                Path(scratch) / stage / slide.name for stage in ("segment", "stitch", "evaluate")
            )
            segmented.parent.mkdir(parents=True, exist_ok=True)
            found = {"tile": slide.tile, "detect": slide.detect}
            started = time.process_time()
            segment(
                slide.tile, slide.detect, segmented, model=model, options=options, threads=threads
            )
            seconds += time.process_time() - started
            stitch(**found, segment=[segmented], output=stitched)
            evaluate(
                **found,
                segment=[segmented],
                stitch=stitched,
                labels=slide.labels,
                output=scored,
            )
            confusion = confusion + read_confusion(scored)
    return overlap_of(confusion).dice().tolist(), seconds


def read_confusion(scored: Path) -> np.ndarray:
    """Return the pixels of each reference class that were given each class."""
    with (scored / CONFUSION_NAME).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream, delimiter="\t"))[1:]
    return np.array([[int(cell) for cell in row[1:]] for row in rows])


if __name__ == "__main__":
    main()
