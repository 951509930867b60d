"""Scores of a slide against its reference labels, as tables and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from lds_path.formats.table import write_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SCORES_NAME = "scores.tsv"
CONFUSION_NAME = "confusion.tsv"
PICTURE_NAME = "confusion.png"
BACKGROUND = "background"
RATIOS = (
    "dice",
    "iou",
    "boundary_iou",
    "round_trip_dice",
    "round_trip_iou",
    "lattice_dice",
    "lattice_iou",
)
"""Empty if neither image has the class."""
PIXELS = (
    "hit_px",
    "reference_px",
    "predicted_px",
    "boundary_hit_px",
    "boundary_reference_px",
    "boundary_predicted_px",
    "round_trip_hit_px",
    "round_trip_reference_px",
    "round_trip_predicted_px",
)
"""Counts behind the first five ratios; their sums over slides give the ratios of a cohort."""
AREAS = ("reference_mm2", "predicted_mm2")


def write_scores(
    path: Path, slide: str, classes: Sequence[str], columns: Mapping[str, Sequence[float]]
) -> None:
    """Write one row a class.

    Parameters
    ----------
    path
        File to write.
    slide
        Id of the slide.
    classes
        Names of the classes.
    columns
        Values of each class under the names of `RATIOS`, `PIXELS` and `AREAS`.
    """
    names = (*RATIOS, *AREAS, *PIXELS)
    rows = [
        [slide, name, *(_cell(columns[column][number]) for column in names)]
        for number, name in enumerate(classes)
    ]
    write_table(path, ["slide", "class", *names], rows)


def write_confusion(path: Path, counts: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Write the counts of pixels: a row for each reference class, a column for each predicted."""
    header = [BACKGROUND, *classes]
    rows = [[name, *map(str, row)] for name, row in zip(header, counts.tolist(), strict=True)]
    write_table(path, ["reference", *header], rows)


def draw_confusion(path: Path, counts: NDArray[np.int64], classes: Sequence[str]) -> None:
    """Draw how the pixels of each reference class were predicted, as fractions of its pixels."""
    names = [BACKGROUND, *classes]
    shown = [number for number in range(len(names)) if counts[number].any()]
    fractions = counts[shown] / counts[shown].sum(axis=1, keepdims=True)
    figure = Figure(figsize=(2.5 + 0.8 * len(names), 1.6 + 0.6 * len(shown)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(fractions, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in np.ndindex(fractions.shape):
        color = "white" if fractions[row, column] > 0.6 else "black"
        text = f"{100 * fractions[row, column]:.1f}"
        axes.text(column, row, text, ha="center", va="center", color=color, fontsize="small")
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(shown)), [names[number] for number in shown])
    axes.set_xlabel("predicted, % of the reference class")
    axes.set_ylabel("reference")
    figure.savefig(path, dpi=110, metadata={"Software": None})


def _cell(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    return "" if np.isnan(value) else f"{value:.6f}"
