"""Segment the regions of one shard: probabilities on the lattice, grid and density of each."""

from __future__ import annotations

import logging
import re
from functools import partial
from typing import TYPE_CHECKING

from lds_path.errors import ModelError, UsageError
from lds_path.formats.predictions import PREDICTIONS_NAME, PredictionWriter
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.formats.results import SegmentResults, TileParameters
from lds_path.option import as_parameters
from lds_path.options.labels import SegmentOptions
from lds_path.provenance.stage_run import is_quarantined, run_stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lds_path.geometry import Region
    from lds_path.models.card import ModelCard
    from lds_path.network.device import Device
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageInputs

log = logging.getLogger(__name__)

MPP_TOLERANCE = 0.1


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

    On a CPU each thread takes one region at a time, so that neither threads nor shards
    change a byte. On a GPU every batch is filled up to one size for the same reason.

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
        Regions at a time on a CPU; reading threads on a GPU.
    classes
        Class names that the model must have; not checked when None.
    strict
        Raise instead of putting the slide in quarantine.

    Raises
    ------
    ModelError
        If the model is missing or damaged, or was made for other classes or another mpp.
    UsageError
        If the shard, the device, or the size of the regions cannot be used.
    """
    parse_shard(options.shard)
    inputs = {"tile": tile, "plan": plan}
    parameters = {"model": model, **as_parameters(options)}
    if is_quarantined(tile, plan):
        return run_stage("segment", output, lambda *_: {}, inputs=inputs, parameters=parameters)
    # torch and MONAI take seconds to import: only for a slide that is analysed.
    from lds_path.models.card import WEIGHTS_NAME, find_model
    from lds_path.network.device import device_name, take_device

    weights = find_model(model) / WEIGHTS_NAME
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
            inputs={**inputs, "model": weights},
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
    from lds_path.inference.runner import Runner, in_order
    from lds_path.models.card import check_classes, find_model
    from lds_path.models.checkpoint import load_model
    from lds_path.network.spec import check_sizes

    segmenter, card = load_model(find_model(model))
    if classes is not None:
        check_classes(card, classes, model)
    pyramid = open_pyramid(inputs["tile"].path)
    check_mpp(card, model, inputs["tile"].read(TileParameters).mpp, pyramid.frame.mpp)
    number, count = parse_shard(options.shard)
    table = read_regions(inputs["plan"].path / REGIONS_NAME)
    regions = [region for region in table if region.index % count == number]
    check_sizes(regions, segmenter.spec)
    runner = Runner(
        segmenter.to(device), pyramid, device, options.batch_size, threads, options.flips
    )
    with PredictionWriter(folder / PREDICTIONS_NAME) as writer:
        for prediction in in_order(runner.run(regions), regions):
            writer.write(prediction)
    return _results(regions, card, model, pyramid.frame.mpp)


def parse_shard(shard: str) -> tuple[int, int]:
    """Return the number of a shard, from 0, and how many there are.

    Raises
    ------
    UsageError
        If the text is not `k-of-n` with 1 <= k <= n.
    """
    match = re.fullmatch(r"(\d+)-of-(\d+)", shard)
    if match is None or not 1 <= int(match[1]) <= int(match[2]):
        raise UsageError(f"the shard '{shard}' is not k-of-n with k from 1 to n, such as 1-of-4")
    return int(match[1]) - 1, int(match[2])


def check_mpp(card: ModelCard, model: str, working_mpp: float, true_mpp: float) -> None:
    """Check that a slide was tiled at the mpp of a model.

    A slide that is itself coarser than the working mpp is segmented, with a warning.

    Raises
    ------
    ModelError
        If the slide was tiled at another mpp.
    """
    if abs(working_mpp / card.mpp - 1) > MPP_TOLERANCE:
        raise ModelError(
            f"the model '{model}' was trained at {card.mpp} microns per pixel, but the slide was"
            f" tiled at {working_mpp}; set `mpp` in config.yaml to {card.mpp}, or choose another model"
        )
    if abs(true_mpp / card.mpp - 1) > MPP_TOLERANCE:
        log.warning(
            "the slide has %.3f microns per pixel, the model expects %.3f", true_mpp, card.mpp
        )


def _results(
    regions: Sequence[Region], card: ModelCard, model: str, region_mpp: float
) -> SegmentResults:
    return SegmentResults(
        regions=len(regions),
        region_mpp=region_mpp,
        samples=sum(region.lattice.area for region in regions),
        model=model,
        model_mpp=card.mpp,
        sampler=card.network.sampler,
        classes=card.classes,
    )
