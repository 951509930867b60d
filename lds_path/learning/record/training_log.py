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

LOSSES = ("segmentation_loss", "edge_loss", "benefit_loss")
Row = tuple[int, tuple[float, ...], tuple[float | None, ...]]
"""Step, the losses, and the Dice of each class where it was measured."""


class TrainingLog:
    """Writes `training.tsv` line by line and `curve.png` at the end; a context manager.

    Parameters
    ----------
    folder
        Where to write.
    classes
        Names of the classes.
    rows
        Steps of an earlier part of the same training, as `rows` was then.
    """

    def __init__(self, folder: Path, classes: Sequence[str], rows: Sequence[Row] = ()) -> None:
        self.rows: list[Row] = []
        """All steps, as values that JSON can hold."""
        self._drawn: int | None = None  # rows that the curve shows
        self._classes = tuple(classes)
        self._curve = folder / CURVE_NAME
        self._stream = (folder / TRAINING_NAME).open("w", encoding="utf-8", newline="", buffering=1)
        self._writer = csv.writer(self._stream, delimiter="\t", lineterminator="\n")
        names = (f"tune_dice_{name}" for name in self._classes)
        self._writer.writerow(("step", *LOSSES, *names))
        for step, losses, dice in rows:
            self._write((step, tuple(losses), tuple(dice)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        if self._drawn != len(self.rows):
            self.draw()

    def add(self, step: int, losses: Sequence[float], dice: Sequence[float] = ()) -> None:
        """Add a step: its losses as in `LOSSES`, and the Dice of each class if it was measured.

        NaN is left empty.
        """
        known = tuple(None if math.isnan(value) else value for value in dice)
        self._write((step, tuple(losses), known))

    def draw(self) -> None:
        """Write the curve of the steps up to now."""
        figure = Figure(figsize=(7, 4.5))  # one with a layout engine is drawn twice
        figure.subplots_adjust(left=0.12, right=0.98, bottom=0.11, top=0.97, hspace=0.1)
        axes = figure.subplots(2, 1, sharex=True)
        steps = [row[0] for row in self.rows]
        for column, name in enumerate(LOSSES):
            values = [losses[column] for _, losses, _ in self.rows]
            axes[0].plot(steps, values, lw=0.8, label=name.replace("_", " "))
        for index, name in enumerate(self._classes):
            points = [(step, dice[index]) for step, _, dice in self.rows if dice]
            known = [(step, value) for step, value in points if value is not None]
            axes[1].plot(*zip(*known, strict=True) if known else ((), ()), "o-", ms=3, label=name)
        # Losses fall and the Dice rises; to look for the best place takes as long as all else.
        for axis, label, place in zip(axes, ("loss", "tune Dice"), ("upper", "lower"), strict=True):
            axis.set_ylabel(label)
            axis.legend(fontsize="small", loc=f"{place} right")
        axes[1].set_xlabel("step")
        axes[1].set_ylim(0, 1)
        figure.savefig(self._curve, dpi=110, metadata={"Software": None})
        self._drawn = len(self.rows)

    def _write(self, row: Row) -> None:
        step, losses, dice = row
        cells = ["" if value is None else f"{value:.4f}" for value in dice]
        self._writer.writerow((step, *(f"{loss:.5f}" for loss in losses), *cells))
        self.rows.append(row)
