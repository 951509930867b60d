"""What a person sees while a run lasts: a bar on a terminal, and a line for each slide."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MINUTE = 60


class Progress:
    """The progress of a run over slides and their stages."""

    def __init__(self, slides: int, stages: int) -> None:
        self._slides = slides
        self._done = 0
        self._worked = 0.0
        """Seconds of the slides that had to be worked on."""
        self._worked_on = 0
        self._started = time.monotonic()
        self._bar = tqdm(
            total=stages,
            unit="stage",
            disable=None,
            dynamic_ncols=True,
            bar_format="{desc}{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]",
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def start_slide(self) -> None:
        """Note that work on a slide begins."""
        self._started = time.monotonic()

    def start_stage(self, slide: str, stage: str) -> None:
        """Show what is being done."""
        self._bar.set_description(f"{slide} {stage} [{self._done + 1}/{self._slides}]")

    def end_stages(self, count: int = 1) -> None:
        """Count stages that are done, or that are left out."""
        self._bar.update(count)

    def end_slide(self, slide: str, outcome: str, *, kept: bool) -> None:
        """Print how a slide ended and what is left.

        Parameters
        ----------
        slide
            Its id.
        outcome
            Its verdict, or why it has none.
        kept
            Whether it was done before.
        """
        seconds = time.monotonic() - self._started
        self._done += 1
        if not kept:
            self._worked, self._worked_on = self._worked + seconds, self._worked_on + 1
        taken = "done before" if kept else in_words(seconds)
        line = f"[{self._done}/{self._slides}] {slide}: {outcome}; {taken}"
        tqdm.write(line + self._left(), file=sys.stderr)

    def _left(self) -> str:
        left = self._slides - self._done
        if not left or not self._worked_on:
            return ""
        return f", about {in_words(left * self._worked / self._worked_on)} left"


def in_words(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 1.5 * MINUTE:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / MINUTE)
    return f"{minutes} min" if minutes < 2 * MINUTE else f"{minutes / MINUTE:.1f} h"


@contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """Write what stages log, and warnings of libraries, to a file instead of the terminal."""
    root = logging.getLogger()
    before = root.handlers[:]
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    root.handlers[:] = [handler]
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.handlers[:] = before
        handler.close()
