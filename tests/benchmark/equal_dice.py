"""Seconds until `train` and a plain loop reach the same Dice, on the same samples.

    python tests/benchmark/equal_dice.py SHEET TILE DETECT --classes Epithelium --classes Stroma

The network, the uniform lattice, the batch, the number of steps and the slides are the same; one after the
other is trained with each seed, and scored at the same steps. Seconds are those of the processor since the
start, without the scoring: a busy machine changes them little. Each curve is kept in FOLDER, so that an interrupted comparison goes on where it
was.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import fmean
from typing import Any

import click
import torch

from lds_path.learning.fit import Fit
from lds_path.option import make_options
from lds_path.options.model import TrainOptions
from lds_path.stages.train import train

PLAIN = Path(__file__).with_name("plain_loop.py")
EXISTING = click.Path(exists=True, path_type=Path)
SAME = {
    "architecture": "UNet",
    "texture": False,
    "sampler": "uniform",
    "shared_features": False,
    "batch_size": 8,
    "device": "cpu",
}


@click.command()
@click.argument("sheet", type=EXISTING)
@click.argument("tile", type=EXISTING)
@click.argument("detect", type=EXISTING)
@click.option("--classes", multiple=True, required=True)
@click.option("--folder", type=click.Path(path_type=Path), default="build/equal-dice")
@click.option("--steps", default=800, show_default=True)
@click.option("--tune-every", default=100, show_default=True)
@click.option("--seeds", default=2, show_default=True)
@click.option("--threads", default=1, show_default=True)
def main(
    sheet: Path,
    tile: Path,
    detect: Path,
    classes: tuple[str, ...],
    folder: Path,
    steps: int,
    tune_every: int,
    seeds: int,
    threads: int,
) -> None:
    """Train what is missing in FOLDER, then print the curves and the ratio of the seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(threads)
    for seed in range(1, seeds + 1):
        plain, ours = (folder / f"{name}-{seed}.json" for name in ("plain", "train"))
        if not plain.exists():
            named = [part for name in classes for part in ("--classes", name)]
            settings = {"steps": steps, "tune-every": tune_every, "seed": seed, "threads": threads}
            numbers = [part for key, value in settings.items() for part in (f"--{key}", str(value))]
            command = [sys.executable, PLAIN, sheet, tile, detect, *named, *numbers]
            subprocess.run([*map(str, command), "--output", str(plain)], check=True)
        if not ours.exists():
            settings = SAME | {"steps": steps, "tune_every": tune_every, "seed": seed}
            sources = {"tile": tile, "detect": detect, "base": sheet.parent}
            curve = fit(sheet, folder / "model", classes, settings, threads, **sources)
            ours.write_text(json.dumps(curve))
        click.echo(compare(*(json.loads(path.read_text()) for path in (plain, ours)), seed=seed))


def fit(
    sheet: Path,
    output: Path,
    classes: tuple[str, ...],
    settings: dict[str, Any],
    threads: int,
    **sources: Path,
) -> list[dict[str, Any]]:
    """Train by the stage `train`; return step, seconds without scoring, and Dice of each class."""
    for folder in (output, output.with_name(f"{output.name}-state")):
        shutil.rmtree(folder, ignore_errors=True)
    curve: list[dict[str, Any]] = []
    scoring, started, score = 0.0, time.process_time(), Fit._score

    def timed(self: Fit, *arguments: Any) -> tuple[float | None, ...]:
        nonlocal scoring
        before = time.process_time()
        dice = score(self, *arguments)
        curve.append({"step": self.best.step, "seconds": before - started - scoring, "dice": dice})
        scoring += time.process_time() - before
        return dice

    Fit._score = timed
    try:
        options = make_options(TrainOptions(), settings)
        train(sheet, output, classes=classes, options=options, threads=threads, **sources)
    finally:
        Fit._score = score
    return curve


def compare(plain: list[dict[str, Any]], ours: list[dict[str, Any]], *, seed: int) -> str:
    """Return both curves, and when ours first reached each Dice of the plain loop."""
    lines = [
        f"seed {seed}",
        "| step | plain, Dice | s | train, Dice | s | s to the plain Dice | ratio |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for theirs, own in zip(plain, ours, strict=True):
        wanted = fmean(theirs["dice"])
        reached = [row["seconds"] for row in ours if fmean(row["dice"]) >= wanted]
        when = f"{reached[0]:.0f} | {reached[0] / theirs['seconds']:.2f}" if reached else "- | -"
        lines.append(
            f"| {theirs['step']} | {wanted:.3f} | {theirs['seconds']:.0f} |"
            f" {fmean(own['dice']):.3f} | {own['seconds']:.0f} | {when} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
