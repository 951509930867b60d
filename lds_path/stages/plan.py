"""plan: how many samples each region of a slide gets, for a budget of the whole slide."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lds_path.errors import UsageError
from lds_path.formats.regions import REGIONS_NAME, copy_regions, read_regions
from lds_path.formats.results import DetectResults, PlanResults, TileParameters, TileResults
from lds_path.formats.slide_pixels.origin import slide_input
from lds_path.inference.budget import parse_budget
from lds_path.inference.expected_errors import (
    EXPECTED_ERRORS_NAME,
    ExpectedErrors,
    write_expected_errors,
)
from lds_path.option import as_parameters
from lds_path.options.labels import PlanOptions
from lds_path.provenance.fingerprint import describe_input, note_input
from lds_path.provenance.stage_folder import open_folder
from lds_path.provenance.stage_run import is_quarantined, run_stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.inference.budget import Budget
    from lds_path.inference.cost import Costs
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageFolder, StageInputs

log = logging.getLogger(__name__)

_LITTLE_TISSUE = (
    "the budget allows %s, but even the smallest lattices of the model take %s; these are used"
)


def plan(
    tile: Path,
    detect: Path,
    output: Path,
    *,
    model: str,
    options: PlanOptions = PlanOptions(),
    threads: int = 1,
    strict: bool = False,
) -> Manifest:
    """Write the region table of a slide with the lattice that each region gets.

    With the budget `uniform` it is the table of detect. With any other, the model looks at the
    coarse view of every region and predicts the error of each lattice of its ladder; the samples
    go where they save most. This is decided for the whole slide at once, so that shards change
    nothing.

    Parameters
    ----------
    tile
        Folder of the tile stage.
    detect
        Folder of the detect stage.
    output
        Folder to write.
    model
        Id of a shipped model, or the path of a model folder.
    options
        See `PlanOptions`.
    threads
        Regions at a time. The coarse views are small: no GPU is held for them.
    strict
        Raise instead of putting the slide in quarantine.

    Raises
    ------
    ModelError
        If the model is missing or damaged.
    UsageError
        If the budget cannot be read or met, or the model has no ladder.
    """
    budget = parse_budget(options.budget)
    inputs = {"tile": tile, "detect": detect}
    parameters = as_parameters(options) | ({"model": model} if budget else {})
    if budget is None or is_quarantined(tile, detect):
        return run_stage("plan", output, _copy, inputs=inputs, parameters=parameters, strict=strict)
    from lds_path.models.card import find_model, model_files
    from lds_path.network.device import choose_device, device_name

    found = find_model(model)
    return run_stage(
        "plan",
        output,
        partial(_plan, budget=budget, model=model, threads=threads),
        inputs={**inputs, "model": note_input(found, model_files(found)), **slide_input(tile)},
        parameters=parameters,
        strict=strict,
        device=device_name(choose_device("cpu")),
    )


def _plan(
    folder: Path, inputs: StageInputs, *, budget: Budget, model: str, threads: int
) -> PlanResults:
    """Write the region table with lattices within the budget, and the errors behind the choice."""
    tile, detect = inputs["tile"], inputs["detect"]
    expected = look(tile, detect, model=model, threads=threads)
    costs = slide_costs(tile, expected, model=model, threads=threads) if budget.in_seconds else None
    rungs = _share_out(budget, expected, costs)
    lattices = expected.lattices(rungs)
    copy_regions(detect.path / REGIONS_NAME, folder / REGIONS_NAME, lattices)
    write_expected_errors(folder / EXPECTED_ERRORS_NAME, expected.ladder, expected.errors, rungs)
    return PlanResults(
        regions=len(rungs),
        ladder=expected.ladder,
        regions_per_rung=tuple(np.bincount(rungs, minlength=len(expected.ladder)).tolist()),
        budget_samples=None if costs else budget.samples(expected.regions, expected.tissue_mm2),
        budget_seconds=budget.seconds(expected.tissue_mm2) if costs else None,
        predicted_seconds=round(costs.total(rungs), 3) if costs else None,
        samples=int(expected.samples[rungs].sum()),
        expected_error_px=round(expected.total_error(rungs), 1),
    )


def _share_out(budget: Budget, expected: ExpectedErrors, costs: Costs | None) -> NDArray[np.intp]:
    """Return the rung of each region; only a budget in seconds needs the costs.

    By area, a slide with little tissue in its regions gets the smallest lattices, whatever they take.
    """
    smallest = np.zeros(len(expected.regions), np.intp)
    if costs is None or not budget.in_seconds:
        samples = budget.samples(expected.regions, expected.tissue_mm2)
        if budget.per_mm2 and samples < (least := int(expected.samples[smallest].sum())):
            log.warning(_LITTLE_TISSUE, f"{samples} samples", f"{least}")
            return smallest
        return expected.allocate(samples)
    seconds = budget.seconds(expected.tissue_mm2)
    if budget.per_mm2 and seconds < (shortest := costs.total(smallest)):
        log.warning(_LITTLE_TISSUE, f"{seconds:.3g} s", f"{shortest:.3g} s")
        return smallest
    return expected.allocate_seconds(costs, seconds)


def slide_costs(
    tile: StageFolder,
    expected: ExpectedErrors,
    *,
    model: str,
    device: str = "auto",
    threads: int,
) -> Costs:
    """Return what the regions of a slide cost a model on this machine, see `region_costs`."""
    from lds_path.inference.cost import region_costs
    from lds_path.models.card import find_model, model_files
    from lds_path.models.checkpoint import load_model

    folder = find_model(model)
    return region_costs(
        tile,
        expected.regions,
        expected.sizes,
        model=describe_input(note_input(folder, model_files(folder)))["sha256"],
        load=lambda: load_model(folder)[0],
        device=device,
        threads=threads,
    )


def look(tile: StageFolder, detect: StageFolder, *, model: str, threads: int) -> ExpectedErrors:
    """Return what a model expects of a slide.

    Raises
    ------
    UsageError
        If the model has no ladder, or the regions do not fit it.
    """
    # torch takes a second to import: only for a slide that is planned.
    from lds_path.formats.mask import open_mask
    from lds_path.formats.pyramid import open_pyramid
    from lds_path.inference.error_prediction import predict_errors
    from lds_path.models.card import find_model
    from lds_path.models.checkpoint import load_scout
    from lds_path.models.working import compare_working
    from lds_path.network.spec import check_ladder, check_sizes, lattices_on

    scout, card = load_scout(find_model(model))
    check_ladder(card.network, model)
    regions = read_regions(detect.file(REGIONS_NAME))
    misfits = compare_working(
        card,
        model,
        mpp=tile.read(TileParameters).mpp,
        true_mpp=tile.read(TileResults).mpp,
        sizes=[region.size for region in regions],
    )
    for remark in misfits:
        log.warning("%s", remark.reason)
    check_sizes(regions, card.network)
    errors = predict_errors(
        scout, open_pyramid(tile.path), open_mask(detect), regions, threads=threads
    )
    ladder = card.network.ladder
    sizes = lattices_on(ladder, regions[0].size)
    return ExpectedErrors(regions, detect.read(DetectResults).tissue_mm2, ladder, sizes, errors)


@dataclass(frozen=True)
class Forecast:
    """What a budget would cost and achieve."""

    budget: str
    samples: int
    seconds: float
    """Estimated time of the stage segment."""
    error: float
    """Expected error, relative to that with the smallest lattice in every region."""
    uniform_error: float | None
    """The same with equal lattices in all regions; None if no rung has just as many samples."""


def what_if(
    tile: Path,
    detect: Path,
    *,
    model: str,
    budgets: Sequence[str] = (),
    device: str = "auto",
    threads: int = 1,
) -> list[Forecast]:
    """Return what budgets would cost for a slide, and what they would achieve.

    The time is that of `slide_costs`, shared out among the threads of a CPU.

    Parameters
    ----------
    tile, detect, model
        See `plan`.
    budgets
        As `plan` takes them; the rungs of the model's ladder when empty.
    device, threads
        Where `segment` would run, as it takes them.
    """
    from lds_path.network.device import choose_device

    opened = open_folder(tile)
    expected = look(opened, open_folder(detect), model=model, threads=threads)
    parsed = [(text, _parse(text)) for text in budgets or map(str, expected.ladder)]
    costs = slide_costs(opened, expected, model=model, device=device, threads=threads)
    cores = threads if choose_device(device).type == "cpu" else 1
    worst = max(float(expected.errors[:, 0].sum()), 1e-9)
    forecasts = []
    for text, budget in parsed:
        rungs = _share_out(budget, expected, costs)
        equal = [rung for rung, side in enumerate(expected.ladder) if text == str(side)]
        forecasts.append(
            Forecast(
                text,
                int(expected.samples[rungs].sum()),
                costs.total(rungs) / cores,
                expected.total_error(rungs) / worst,
                float(expected.errors[:, equal[0]].sum()) / worst if equal else None,
            )
        )
    return forecasts


def _copy(folder: Path, inputs: StageInputs) -> PlanResults:
    table = inputs["detect"].file(REGIONS_NAME)
    regions = read_regions(table)
    shutil.copyfile(table, folder / REGIONS_NAME)
    return PlanResults(
        regions=len(regions),
        samples=sum(region.lattice.area for region in regions),
    )


def _parse(text: str) -> Budget:
    budget = parse_budget(text)
    if budget is None:
        raise UsageError(
            f"'{text}' is no budget to distribute; name budgets such as 128, 20000/mm2 or 30s"
        )
    return budget
