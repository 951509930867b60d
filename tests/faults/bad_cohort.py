"""A cohort of 100 slides, 15 of which cannot be analysed, each for a reason of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import corpus_recipes as make
import numpy as np
from corpus import all_cases

if TYPE_CHECKING:
    from pathlib import Path

SLIDES = 100
BAD = {
    "missing": ("missing", "cannot be opened"),
    "empty": ("nothing", "is empty"),
    "text": ("text", "not a slide"),
    "pipe": ("pipe", "is a pipe or a device"),
    "cut-short": ("cut-in-directory-50", "is a damaged TIFF (corrupted"),
    "circle": ("directories-in-a-circle", "directories form a cycle"),
    "spoilt": ("many-tiles-spoilt", "of its tiles cannot be decoded"),
    "header": ("far-too-wide", "lists"),
    "huge-tiles": ("huge-tiles", "65520 x 65520"),
    "bomb": ("png-of-50000", "too large"),
    "sixteen-bit": ("pixels-uint16-grey", "8-bit"),
    "no-mpp": ("resolution-none", "mpp"),
    "oblong": ("pixels-not-square", "square pixels"),
    "coarse": ("coarse", "um per pixel"),
    "white": ("white", "shows no tissue"),
}
"""Id -> case of the corpus, and what its reason says."""
ODD = (
    "grey", "cmyk", "alpha", "big-endian", "big-tiff", "strips", "planes", "lzw", "jpeg-2000",
    "webp", "zstd", "svs-named-png", "png-named-svs", "two-scenes-ome", "few-tiles-spoilt",
)  # fmt: skip
"""Cases of the corpus that are unusual and analysed all the same."""


def write_cohort(folder: Path) -> None:
    """Write the slides and `slides.tsv`: bad, odd and plain ones, mixed."""
    cases = {case.name: case for case in all_cases()}
    cases["coarse"] = replace(cases["big-tiff"], name="coarse", slide_mpp=8.0)
    source = make.make_source(None)
    rows = {}
    for slide, (name, _) in BAD.items():
        rows[slide] = (cases[name].write(folder / "files", source), cases[name].slide_mpp)
    for name in ODD:
        rows[name] = (cases[name].write(folder / "files", source), cases[name].slide_mpp)
    for number in range(SLIDES - len(rows)):
        path = folder / "files" / f"plain-{number}.tif"
        make.write_tiff(path, source, lambda pixels, n=number: np.roll(pixels, 7 * n, (0, 1)))
        rows[f"plain-{number}"] = (path, None)
    lines = [
        f"{slide}\t{path.relative_to(folder)}\t{'' if mpp is None else mpp}"
        for slide, (path, mpp) in sorted(rows.items())
    ]
    (folder / "slides.tsv").write_text("\n".join(["slide\tpath\tmpp", *lines]) + "\n")
