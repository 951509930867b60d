"""The stages of a slide as calls in this process, with what the rules of the workflow ask for."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path.remote.address import to_slide_path
from lds_path.run.sheet import STAIN, THRESHOLD
from lds_path.stages.assess import assess
from lds_path.stages.detect import detect
from lds_path.stages.evaluate import evaluate
from lds_path.stages.export import export
from lds_path.stages.plan import plan
from lds_path.stages.screen import screen
from lds_path.stages.segment import segment
from lds_path.stages.stitch import stitch
from lds_path.stages.tile import tile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lds_path.provenance.manifest import Manifest
    from lds_path.rules.setup import RunSetup

    Call = Callable[[], Manifest]

STAGES: dict[str, Callable[..., Manifest]] = {
    "tile": tile, "screen": screen, "detect": detect, "plan": plan, "segment": segment,
    "stitch": stitch, "export": export, "assess": assess, "evaluate": evaluate,
}  # fmt: skip
"""Stages of a slide, in order."""
THREADED = ("tile", "screen", "plan", "segment", "stitch", "export")
SHARD = "1-of-1"
"""The only shard of a slide: one process gains nothing from more."""


def stage_calls(setup: RunSetup, slide: str, threads: int) -> dict[str, Call]:
    """Return stage -> call for the stages that a slide needs, in their order.

    Each writes the folder of the rule of its name, from the same inputs and options.

    Parameters
    ----------
    setup
        The run.
    slide
        Id of the slide.
    threads
        For each stage that can use several.
    """
    at = {stage: setup.results / stage / slide for stage in STAGES}
    at["segment"] /= SHARD
    options = _options(setup, slide)
    shared = {"strict": bool(setup.config["strict"])}
    calls: dict[str, Call] = {}
    for stage, inputs in _inputs(setup, slide, at).items():
        more: dict[str, Any] = {"threads": threads} if stage in THREADED else {}
        calls[stage] = partial(
            STAGES[stage], **inputs, output=at[stage], options=options[stage], **more, **shared
        )
    return calls


def _options(setup: RunSetup, slide: str) -> dict[str, Any]:
    """Return stage -> options, with the cells of the sheet and the sections that stages share."""
    options: dict[str, Any] = dict(setup.options)
    mpp = float(setup.slides.cell(slide, "mpp"))
    stain, threshold = (
        str(setup.slides.cell(slide, STAIN)),
        float(setup.slides.cell(slide, THRESHOLD)),
    )
    options["tile"] = replace(
        options["tile"],
        slide_mpp=None if math.isnan(mpp) else mpp,
        scene=str(setup.slides.cell(slide, "scene")),
        finest_level=setup.finest_level,
        texture_level=setup.texture_level,
    )
    options["detect"] = replace(options["detect"], stain=stain)
    if not math.isnan(threshold):
        options["detect"] = replace(options["detect"], tissue_threshold=threshold)
    options["assess"] = replace(options["assess"], stain=stain)
    options["evaluate"] = replace(options["evaluate"], labels=options["labels"])
    return options


def _inputs(setup: RunSetup, slide: str, at: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Return stage -> what it reads, by the names of its arguments, for the stages of a slide."""
    screens = setup.config["detect"]["method"] == "network" or setup.config["assess"]["screen"]
    screened = at["screen"] if screens else None
    model, roi = str(setup.model.folder), _file(setup, slide, "roi")
    tiled = {"tile": at["tile"]}
    found = {**tiled, "detect": at["detect"]}
    stitched = {**found, "segment": [at["segment"]], "stitch": at["stitch"]}
    labels = _file(setup, slide, "labels")
    classes = setup.class_names or None
    inputs: dict[str, dict[str, Any]] = {
        "tile": {"slide": to_slide_path(str(setup.slides.cell(slide, "path")))},
        "screen": tiled,
        "detect": {
            **tiled,
            "roi": roi,
            "tissue": _file(setup, slide, "tissue"),
            "screened": screened,
        },
        "plan": {**found, "model": model},
        "segment": {**tiled, "plan": at["plan"], "model": model, "classes": classes},
        "stitch": {**found, "segment": [at["segment"]]},
        "export": {"stitch": at["stitch"], "detect": at["detect"]},
        "assess": {**stitched, "screened": screened},
        "evaluate": {**stitched, "labels": labels, "roi": roi},
    }
    left_out = {"screen"} if screened is None else set()
    left_out |= {"evaluate"} if labels is None else set()
    return {stage: named for stage, named in inputs.items() if stage not in left_out}


def _file(setup: RunSetup, slide: str, column: str) -> Path | None:
    """Return the file in a column of the sheet; None where it is empty."""
    cell = str(setup.slides.cell(slide, column))
    return Path(cell) if cell else None
