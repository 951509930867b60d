"""All stages of one slide in this process."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from dask.system import CPU_COUNT

from lds_path.api.results import Result, open_result
from lds_path.api.slides import open_slide
from lds_path.errors import StageInputError, UsageError
from lds_path.geometry import Region, Size
from lds_path.inference.budget import UNIFORM
from lds_path.models.card import find_fitting_model, find_model, read_card
from lds_path.models.working import working_of
from lds_path.options.labels import PlanOptions, SegmentOptions
from lds_path.options.slides import DetectOptions, TileOptions
from lds_path.provenance.stage_folder import open_folder
from lds_path.rules.stored_levels import finest_level
from lds_path.run.sheet import ID_PATTERN
from lds_path.stages.assess import assess
from lds_path.stages.detect import detect
from lds_path.stages.export import export
from lds_path.stages.plan import plan
from lds_path.stages.segment import segment as segment_regions
from lds_path.stages.stitch import stitch
from lds_path.stages.tile import tile

if TYPE_CHECKING:
    from lds_path.models.working import Working


def segment(
    path: str | Path,
    *,
    model: str,
    output: str | Path = "results",
    name: str | None = None,
    mpp: float | None = None,
    budget: str = UNIFORM,
    device: str = "auto",
    threads: int | None = None,
) -> Result:
    """Run all stages on a slide, at the resolution of the model, and return its result.

    The folders are those of the workflow, so that `lds-path report` and `open_result` read them. What
    they hold of this slide is replaced.

    Parameters
    ----------
    path
        Slide or plain image.
    model
        Id of a shipped model, or a model folder.
    output
        Folder with the results of all slides.
    name
        Id of the slide; made from the name of its file when not given.
    mpp
        Microns per level-0 pixel where the file does not state them, or states them wrongly.
    budget
        Samples that the slide may use, see `PlanOptions`.
    device
        `auto`, `cpu` or `cuda`.
    threads
        Threads to use; all cores when not given.

    Raises
    ------
    ModelError
        If the model is missing or damaged.
    SlideProblem
        If the slide is missing, damaged, of an unknown format, or nothing states its mpp.
    StageInputError
        If the slide cannot be analysed; its manifests say why.
    UsageError
        If an option cannot be used, or the folder holds the result of another slide of this name.
    """
    path, output = Path(path).absolute(), Path(output).absolute()
    name = _make_name(path) if name is None else name
    if not ID_PATTERN.fullmatch(name):
        raise UsageError(
            f"the name {name!r} of {path} is not made of letters, digits, '.', '_' and '-'; give"
            " another one as `name`"
        )
    working = _read_working(model, budget)
    _check_same_slide(output / "tile" / name, path)
    open_slide(path, mpp)  # a wrong path leaves no results
    _run_stages(
        path,
        output,
        name,
        model=model,
        working=working,
        slide_mpp=mpp,
        plan_options=PlanOptions(budget=budget),
        segment_options=SegmentOptions(device=device),
        threads=threads or CPU_COUNT,
    )
    return open_result(output, name)


def _run_stages(
    path: Path,
    output: Path,
    name: str,
    *,
    model: str,
    working: Working,
    slide_mpp: float | None,
    plan_options: PlanOptions,
    segment_options: SegmentOptions,
    threads: int,
) -> None:
    folders = {
        stage: output / stage / name
        for stage in ("tile", "detect", "plan", "stitch", "export", "assess")
    }
    tiled, detected, stitched = (folders[stage] for stage in ("tile", "detect", "stitch"))
    shards = [output / "segment" / name / segment_options.shard]
    tile(
        path,
        tiled,
        options=TileOptions(
            mpp=working.mpp, slide_mpp=slide_mpp, finest_level=_finest_level(model, working)
        ),
        threads=threads,
    )
    detect(
        tiled,
        detected,
        options=DetectOptions(
            region_size=working.region_size, overlap=working.overlap, lattice=working.lattice
        ),
    )
    plan(tiled, detected, folders["plan"], model=model, options=plan_options, threads=threads)
    segment_regions(
        tiled, folders["plan"], shards[0], model=model, options=segment_options, threads=threads
    )
    stitch(tiled, detected, shards, stitched, threads=threads)
    export(stitched, folders["export"], detect=detected, threads=threads)
    assess(tiled, detected, shards, stitched, folders["assess"])


def _read_working(model: str, budget: str) -> Working:
    """Return how slides are cut up for a model, if it can do what is asked for."""
    working = working_of(read_card(find_fitting_model(model, (), has_budget=budget != UNIFORM)))
    side, lattice = (Size(edge, edge) for edge in (working.region_size, working.lattice))
    find_fitting_model(model, (), Region(0, 0, 0, side, lattice), budget != UNIFORM)
    return working


def _finest_level(model: str, working: Working) -> int:
    """Return the finest level of the pyramid that is stored for a model."""
    return finest_level(
        read_card(find_model(model)).network,
        mpp=working.mpp,
        region_size=working.region_size,
        lattice=working.lattice,
        tissue_mpp=DetectOptions().tissue_mpp,
    )


def _make_name(path: Path) -> str:
    """Return an id from the name of a file."""
    return re.sub("[^A-Za-z0-9._-]+", "-", path.stem).lstrip("._-")[:100] or "slide"


def _check_same_slide(tile: Path, path: Path) -> None:
    """Raise a `UsageError` if a folder holds what was made from another file."""
    try:
        recorded = open_folder(tile).manifest.inputs.get("slide", {}).get("path")
    except StageInputError:
        return
    if recorded is not None and Path(str(recorded)).absolute() != path:
        raise UsageError(
            f"{tile} was made from {recorded}, not from {path}; give the slide another `name`, or"
            " name another folder as `output`"
        )
