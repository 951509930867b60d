"""A small painted slide, segmented with the model that comes with the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.direct.progress import logged_to
from lds_path.direct.request import read_request
from lds_path.direct.slide_stages import stage_calls
from lds_path.formats.results import EvaluateResults
from lds_path.options.slides import DemoOptions
from lds_path.pixels.octaves import TEXTURE_EDGE
from lds_path.pixels.texture import measure_texture
from lds_path.provenance.stage_folder import read_results
from lds_path.stages.demo import demo

if TYPE_CHECKING:
    from pathlib import Path

SLIDE = "painted-1"
SIDE = 1024
"""Of the slide, in pixels."""


def segment_painted(folder: Path, *, threads: int) -> float:
    """Return the mean Dice of the classes of a painted slide.

    Parameters
    ----------
    folder
        An empty folder, for everything that is written.
    threads
        For each stage that can use several.

    Raises
    ------
    LdsPathError
        If a stage fails.
    """
    demo(folder / SLIDE, options=DemoOptions(seed=1, width=SIDE, height=SIDE))
    sheet = folder / "slides.tsv"
    row = f"{SLIDE}\t{SLIDE}/slide.tif\t{SLIDE}/labels.tif"
    sheet.write_text(f"slide\tpath\tlabels\n{row}\n", encoding="utf-8")
    results = folder / "results"
    request = read_request(sheet, results, model="demo", mpp=None, given={})
    with logged_to(folder / "run.log"):
        for call in stage_calls(request.setup, SLIDE, threads).values():
            call()
    measure_texture(np.zeros((3, TEXTURE_EDGE, TEXTURE_EDGE), np.uint8))  # compiles it, too
    dice = read_results(results / "evaluate" / SLIDE, EvaluateResults).dice
    known = [value for value in dice.values() if value is not None]
    return sum(known) / len(known)
