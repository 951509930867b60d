"""What is shown of a results folder: the files of its report, and tiles that are made when asked for."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from lds_path.errors import StageInputError, UsageError
from lds_path.provenance.cohort import read_slide_record
from lds_path.provenance.lineage import ReportResults
from lds_path.provenance.manifest import FILE_NAME
from lds_path.provenance.stage_folder import open_folder
from lds_path.reporting.zoom.scripts import FOLDER, SERVED_NAME
from lds_path.viewing.served_slide import open_served

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lds_path.viewing.served_slide import ServedSlide

REPORT = "report"
OPEN_SLIDES = 8
"""Slides that are kept open."""


@dataclass(frozen=True)
class Site:
    """A results folder whose report can be shown."""

    results: Path
    """Without links."""
    slides: Sequence[str]
    """Ids of the slides of the report."""
    open_slide: Callable[[str], ServedSlide] = field(repr=False)

    def find_file(self, parts: Sequence[str]) -> Path | None:
        """Return a file of the report; None if there is none, or it lies outside of the results."""
        if not parts or any(part in {"", ".", ".."} or set(part) & {"/", "\0"} for part in parts):
            return None
        path = self.results.joinpath(REPORT, *parts)
        real_path = Path(os.path.realpath(path))
        return path if real_path.is_relative_to(self.results) and real_path.is_file() else None

    def describe_slide(self, slide: str, base: str) -> bytes | None:
        """Return what the viewer is given of a slide, as JSON; None if the slide is not known.

        Parameters
        ----------
        slide
            Id of the slide.
        base
            Start of the addresses of its tiles.

        Raises
        ------
        StageInputError
            If a file of a stage is missing or damaged.
        """
        if slide not in self.slides:
            return None
        zoom = self.open_slide(slide).describe(base)
        return json.dumps(zoom.to_json(), ensure_ascii=False).encode()


def open_site(results: Path) -> Site:
    """Return what is shown of a results folder.

    Raises
    ------
    UsageError
        If it is none, or has no report that this version can show.
    """
    root = Path(os.path.realpath(results))
    if not root.is_dir():
        what = "is a file" if root.is_file() else "does not exist"
        raise UsageError(f"{results} {what}; name the folder with the results of a run")
    report = root / REPORT
    if not (report / FILE_NAME).is_file():
        if (root / FILE_NAME).is_file() and (root / FOLDER).is_dir():
            raise UsageError(f"{results} is the report itself; name the results folder around it")
        raise UsageError(
            f"{results} has no finished {REPORT}; wait for the end of the run, or write it by"
            f" `lds-path report {results} {results / REPORT} --sheet slides.tsv`"
        )
    slides = tuple(open_folder(report).read(ReportResults).slides)
    if not (report / FOLDER / SERVED_NAME).is_file():
        raise UsageError(
            f"{results / REPORT} was written by another version, and has no viewer; write it again"
            f" by `lds-path report {results} {results / REPORT} --sheet slides.tsv`"
        )

    @lru_cache(OPEN_SLIDES)
    def open_slide(slide: str) -> ServedSlide:
        for stage in ("tile", "detect", "segment", "stitch", "assess"):
            if not Path(os.path.realpath(root / stage / slide)).is_relative_to(root):
                raise StageInputError(
                    f"{root / stage / slide} is a link out of the results folder, which is not"
                    " followed; copy it into the folder"
                )
        return open_served(read_slide_record(root, slide), root)

    return Site(root, slides, open_slide)
