"""What a person sees while a run lasts: a bar on a terminal, a line for each stage and each slide."""

from __future__ import annotations

import logging
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from tqdm import tqdm

from lds_path.run.terminal.stage_lines import StageLines, in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from lds_path.provenance.manifest import Manifest


class Progress:
    """The progress of a run over slides and their stages.

    Parameters
    ----------
    slides
        Number of slides.
    planned
        Stage -> number of slides that need it.
    """

    def __init__(self, slides: int, planned: Mapping[str, int]) -> None:
        self._slides, self._done = slides, 0
        self._lines = StageLines(planned)
        self._began = self._slide_began = self._stage_began = time.monotonic()
        self._bar = tqdm(
            total=sum(planned.values()),
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
        self._slide_began = time.monotonic()

    def start_stage(self, slide: str, stage: str) -> None:
        """Show what is being done."""
        self._stage_began = time.monotonic()
        self._bar.set_description(f"{slide} {stage} [{self._done + 1}/{self._slides}]")

    def end_stage(self, slide: str, manifest: Manifest, *, kept: bool) -> None:
        """Print what was done; nothing for a stage that was done before or passes on a quarantine.

        Parameters
        ----------
        slide
            Its id.
        manifest
            Of the stage.
        kept
            Whether it was done before.
        """
        self._bar.update()
        stage, reason = manifest.stage, manifest.quarantined_by
        if kept or reason not in ("", stage):
            self._lines.skip(stage)
            return
        now = time.monotonic()
        line = self._lines.end(
            stage,
            slide,
            seconds=now - self._stage_began,
            elapsed=now - self._began,
            note=f"is quarantined by {stage}" if reason else "",
        )
        tqdm.write(line, file=sys.stderr)

    def leave_out(self, stages: Iterable[str]) -> None:
        """Count stages that are left out."""
        for stage in stages:
            self._bar.update()
            self._lines.skip(stage)

    def end_slide(self, slide: str, outcome: str, *, kept: bool) -> None:
        """Print how a slide ended.

        Parameters
        ----------
        slide
            Its id.
        outcome
            Its verdict, or why it has none.
        kept
            Whether it was done before.
        """
        seconds = time.monotonic() - self._slide_began
        self._done += 1
        taken = "done before" if kept else in_words(seconds)
        tqdm.write(f"[{self._done}/{self._slides}] {slide}: {outcome}; {taken}", file=sys.stderr)


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
