"""Segment the regions of one shard: probabilities on the lattice, grid and density of each."""

from __future__ import annotations

import logging
import re
from collections import deque
from functools import partial
from typing import TYPE_CHECKING

from lds_path.errors import UsageError
from lds_path.formats.predictions import PREDICTIONS_NAME, PredictionWriter
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.formats.results import (
    ModelSummary,
    PlanResults,
    Remark,
    SegmentResults,
    TileParameters,
    TileResults,
)
from lds_path.formats.slide_pixels.origin import slide_input
from lds_path.formats.spread import DISTANCES_NAME, write_distances
from lds_path.option import as_parameters
from lds_path.options.labels import SegmentOptions
from lds_path.provenance.fingerprint import note_input
from lds_path.provenance.stage_run import is_quarantined, run_stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from lds_path.formats.predictions import Prediction
    from lds_path.geometry import Region
    from lds_path.models.card import ModelCard
    from lds_path.network.device import Device
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageFolder, StageInputs

log = logging.getLogger(__name__)


def segment(
    tile: Path,
    plan: Path,
    output: Path,
    *,
    model: str,
    options: SegmentOptions = SegmentOptions(),
    threads: int = 1,
    classes: tuple[str, ...] | None = None,
    strict: bool = False,
) -> Manifest:
    """Run a model on the regions of a slide and write `predictions.npz`.

    On a CPU each thread takes one batch at a time, so that neither threads nor shards change a
    byte; every batch is filled up to one size for the same reason, also on a GPU.

    Parameters
    ----------
    tile
        Folder of the tile stage.
    plan
        Folder of the plan stage, or of detect: the regions and their lattices.
    output
        Folder to write.
    model
        Id of a shipped model, or the path of a model folder.
    options
        See `SegmentOptions`.
    threads
        Batches at a time on a CPU; reading threads on a GPU.
    classes
        Class names that the model must have; not checked when None.
    strict
        Raise instead of putting the slide in quarantine.

    Raises
    ------
    ModelError
        If the model is missing or damaged, or was made for other classes.
    UsageError
        If the shard, the device, or the size of the regions cannot be used.
    """
    parse_shard(options.shard)
    inputs = {"tile": tile, "plan": plan}
    parameters = {"model": model, **as_parameters(options)}
    if is_quarantined(tile, plan):
        return run_stage("segment", output, lambda *_: {}, inputs=inputs, parameters=parameters)
    # torch and MONAI take seconds to import: only for a slide that is analysed.
    from lds_path.models.card import find_model, model_files
    from lds_path.network.device import device_name, take_device

    models = {
        "model" if number == 1 else f"model/{number}": note_input(folder, model_files(folder))
        for number, folder in enumerate(map(find_model, (model, *options.also)), start=1)
    }
    with take_device(options.device) as device:
        return run_stage(
            "segment",
            output,
            partial(
                _segment,
                model=model,
                classes=classes,
                options=options,
                device=device,
                threads=threads,
            ),
            inputs={**inputs, **models, **slide_input(tile)},
            parameters=parameters,
            strict=strict,
            device=device_name(device),
        )


def _segment(
    folder: Path,
    inputs: StageInputs,
    *,
    model: str,
    classes: tuple[str, ...] | None,
    options: SegmentOptions,
    device: Device,
    threads: int,
) -> SegmentResults:
    """Write the predictions of the shard's regions."""
    from lds_path.inference.batches import in_order
    from lds_path.inference.cost import cost_clock
    from lds_path.inference.familiarity import PATCHES, further_regions, watched
    from lds_path.inference.runner import Runner
    from lds_path.models.card import check_classes, find_model, name_model, read_card
    from lds_path.models.checkpoint import load_model
    from lds_path.models.ensemble import load_members
    from lds_path.network.device import choose_precision
    from lds_path.network.spec import check_sizes

    segmenter, card = load_model(find_model(model))
    if classes is not None:
        check_classes(card, classes, model)
    pyramid = open_pyramid(inputs["tile"].path)
    table = read_regions(inputs["plan"].file(REGIONS_NAME))
    regions = _of_shard(table, options.shard)
    check_sizes(regions, segmenter.spec)
    others = tuple(member.to(device) for member in load_members(options.also, card, regions))
    cards = {name: read_card(find_model(name)) for name in options.also}
    remarks = _remarks(inputs["tile"], table, {model: card, **cards})
    for remark in remarks:
        log.warning("%s", remark.reason)
    precision = choose_precision(device, options.precision)
    with watched(segmenter.to(device), card.familiarity, card.lattice) as watch:
        size, flips = options.batch_size, options.flips
        runner = Runner(segmenter, pyramid, device, size, threads, flips, watch, others, precision)
        started = cost_clock(device)
        _write(folder / PREDICTIONS_NAME, in_order(runner.run(regions), regions))
        seconds = cost_clock(device) - started
        if watch is not None:
            write_distances(folder / DISTANCES_NAME, watch.distances)
            further = further_regions(table, card.region_size, card.lattice)
            if compared := _of_shard(further, options.shard):
                deque(runner.run(compared), maxlen=0)  # for the watch alone
    return SegmentResults(
        regions=len(regions),
        region_mpp=pyramid.frame.mpp,
        samples=sum(region.lattice.area for region in regions),
        model=" + ".join(map(name_model, (model, *options.also))),
        model_mpp=card.mpp,
        sampler=card.network.sampler,
        network_seconds=round(seconds, 3),
        predicted_seconds=_predicted(inputs["plan"]),
        precision=precision,
        classes=card.classes,
        about=_summarise(card),
        remarks=remarks,
        patches=None if watch is None else len(watch.unlike) * PATCHES**2,
        unlike_patches=None if watch is None else sum(watch.unlike.values()),
        unreadable=pyramid.finer.unreadable,
    )


def _write(path: Path, predictions: Iterable[Prediction]) -> None:
    with PredictionWriter(path) as writer:
        for prediction in predictions:
            writer.write(prediction)


def _of_shard(regions: Sequence[Region], shard: str) -> list[Region]:
    number, count = parse_shard(shard)
    return [region for region in regions if region.index % count == number]


def parse_shard(shard: str) -> tuple[int, int]:
    """Return the number of a shard, from 0, and how many there are.

    Raises
    ------
    UsageError
        If the text is not `k-of-n` with 1 <= k <= n.
    """
    match = re.fullmatch(r"([0-9]{1,6})-of-([0-9]{1,6})", shard)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"the shard '{shard}' is not k-of-n with k from 1 to n, such as 1-of-4")
    return int(match[1]) - 1, int(match[2])


def _remarks(
    tile: StageFolder, regions: Sequence[Region], cards: Mapping[str, ModelCard]
) -> tuple[Remark, ...]:
    """Return what makes models unfit for a slide and its regions, which are those of the first."""
    from lds_path.models.card import name_model
    from lds_path.models.working import compare_working

    tiled = tile.read(TileResults)
    model, card = next(iter(cards.items()))
    misfits = compare_working(
        card,
        name_model(model),
        mpp=tile.read(TileParameters).mpp,
        true_mpp=tiled.mpp,
        sizes=[region.size for region in regions],
        lattices=[region.lattice for region in regions],
    )
    reason = "the model '{}' knows only painted slides: its labels mean nothing on this one"
    painters = [name for name, each in cards.items() if each.synthetic and not tiled.painted]
    return (*(Remark("fail", reason.format(name_model(name))) for name in painters), *misfits)


def _predicted(plan: StageFolder) -> float | None:
    """Return the seconds that the plan predicts; the regions may also come from detect."""
    return plan.read(PlanResults).predicted_seconds if plan.manifest.stage == "plan" else None


def _summarise(card: ModelCard) -> ModelSummary:
    return ModelSummary(
        description=card.description,
        tune_dice=card.scores.get("tune_dice", {}),
        colours=None if card.familiarity is None else card.familiarity.colours,
    )
