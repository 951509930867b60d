"""The record of a training: a table that grows while it runs, and its picture."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING, Self

from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TRAINING_NAME = "training.tsv"
CURVE_NAME = "curve.png"


class TrainingLog:
    """Writes `training.tsv` line by line and `curve.png` at the end; a context manager."""

    def __init__(self, folder: Path, classes: Sequence[str]) -> None:
        self._classes = tuple(classes)
        self._curve = folder / CURVE_NAME
        self._losses: list[tuple[int, float, float]] = []
        self._dice: list[tuple[int, tuple[float, ...]]] = []
        self._stream = (folder / TRAINING_NAME).open("w", encoding="utf-8", newline="", buffering=1)
        self._writer = csv.writer(self._stream, delimiter="\t", lineterminator="\n")
        names = (f"tune_dice_{name}" for name in self._classes)
        self._writer.writerow(("step", "segmentation_loss", "edge_loss", *names))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self._draw()

    def add(self, step: int, segmentation: float, edge: float, dice: Sequence[float] = ()) -> None:
        """Add a step, with the Dice of each class if it was measured; NaN is left empty."""
        cells = ["" if math.isnan(value) else f"{value:.4f}" for value in dice]
        self._writer.writerow((step, f"{segmentation:.5f}", f"{edge:.5f}", *cells))
        self._losses.append((step, segmentation, edge))
        if dice:
            self._dice.append((step, tuple(dice)))

    def _draw(self) -> None:
        figure = Figure(figsize=(7, 4.5), layout="constrained")
        axes = figure.subplots(2, 1, sharex=True)
        steps = [step for step, _, _ in self._losses]
        for column, name in enumerate(("segmentation loss", "edge loss"), start=1):
            axes[0].plot(steps, [row[column] for row in self._losses], lw=0.8, label=name)
        for index, name in enumerate(self._classes):
            points = [(step, dice[index]) for step, dice in self._dice]
            axes[1].plot(*zip(*points, strict=True) if points else ((), ()), "o-", ms=3, label=name)
        for axis, label in zip(axes, ("loss", "tune Dice"), strict=True):
            axis.set_ylabel(label)
            axis.legend(fontsize="small", loc="best")
        axes[1].set_xlabel("step")
        axes[1].set_ylim(0, 1)
        figure.savefig(self._curve, dpi=110, metadata={"Software": None})
