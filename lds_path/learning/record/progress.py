"""The lines of a training on the terminal and in its log."""

from __future__ import annotations

import logging
import shlex
import time
from typing import TYPE_CHECKING, Any

from lds_path.reporting.pages import format_seconds
from lds_path.reporting.training_page import PAGE_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

log = logging.getLogger(__name__)

INTERVAL_S = 60.0


class Progress:
    """Writes a line a minute: how far the training is, and how good the model.

    Parameters
    ----------
    classes
        Names of the classes.
    steps
        Length of the training.
    done
        Steps of it that are done.
    clock
        Returns seconds.
    """

    def __init__(
        self,
        classes: Sequence[str],
        steps: int,
        *,
        done: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._classes, self._steps, self._first = classes, steps, done
        self._clock = clock
        self._started = self._written = clock()
        self._losses: list[float] = []
        self._dice = ""

    def add(
        self, step: int, loss: float, dice: Sequence[float | None], best: tuple[float, int]
    ) -> None:
        """Count a step, and write a line if none was written for a minute.

        Parameters
        ----------
        step
            Steps done.
        loss
            Segmentation loss of this one.
        dice
            Dice of each class if it was measured after this step, else empty.
        best
            Best mean Dice, and the step after which it was measured, 0 for none.
        """
        self._losses.append(loss)
        if dice:
            self._dice = f"; tune Dice after step {step}: {join_dice(self._classes, dice)}"
        now = self._clock()
        if now - self._written < INTERVAL_S:
            return
        self._written = now
        mean, best_step = best
        kept = f", mean {mean:.3f} at best (step {best_step})" if self._dice else ""
        left = (now - self._started) / (step - self._first) * (self._steps - step)
        log.info(
            "train: step %d of %d, loss %.3f%s%s; about %s left",
            step,
            self._steps,
            sum(self._losses) / len(self._losses),
            self._dice,
            kept,
            format_seconds(left),
        )
        self._losses.clear()


def last_lines(folder: Path, results: Mapping[str, Any]) -> list[str]:
    """Return what a training says when it is done: scores, what to open, what to run.

    Parameters
    ----------
    folder
        The model folder.
    results
        Results of the manifest.
    """
    dice, before, model = results["tune_dice"], results["start_dice"], shlex.quote(str(folder))
    if results["tune_regions"]:
        words = "tune Dice before and after: " if before else "tune Dice "
        score = words + join_dice(tuple(dice), tuple(dice.values()), tuple(before.values()))
    else:
        score = "its Dice was not measured, as no slide of the split tune has labels"
        score += (
            ": what it gained over the model that it started from is not known" if before else ""
        )
    steps, kept = results["steps"], results["best_step"]
    return [
        f"train: done after {steps} steps; kept are the weights of step {kept}, {score}",
        *(f"train: warning: {doubt}" for doubt in results["warnings"]),
        f"train: {folder / PAGE_NAME} shows the curve, the scores and the worst regions",
        f"train: the model is {folder}; use it on the slides of a sheet by",
        f"  snakemake --cores all --config model={model} slides=SHEET",
    ]


def join_dice(
    classes: Sequence[str], dice: Sequence[float | None], before: Sequence[float | None] = ()
) -> str:
    """Return the Dice of all classes in one line, after that of another model where it is known."""
    rows = zip(classes, dice, before or [None] * len(classes), strict=True)
    return ", ".join(
        f"{name} {'' if old is None else f'{old:.3f} -> '}"
        f"{'not measured' if value is None else f'{value:.3f}'}"
        for name, value, old in rows
    )
