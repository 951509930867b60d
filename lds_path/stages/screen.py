"""screen: what a network finds in the overview of a slide: glass, tissue and artefacts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from lds_path.errors import ModelError
from lds_path.formats.class_map import write_class_map
from lds_path.formats.overview import read_overview
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.results import ScreenResults
from lds_path.formats.slide_pixels.origin import slide_input
from lds_path.option import as_parameters
from lds_path.options.slides import ScreenOptions
from lds_path.provenance.fingerprint import note_input
from lds_path.provenance.stage_run import is_quarantined, run_stage

if TYPE_CHECKING:
    from pathlib import Path

    from lds_path.models.card import ModelCard
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageInputs

TISSUE = "Tissue"
"""The class that a model for overviews must have."""


def screen(
    tile: Path,
    output: Path,
    *,
    options: ScreenOptions = ScreenOptions(),
    threads: int = 1,
    strict: bool = False,
) -> Manifest:
    """Classify each pixel of a slide's overview and write the classes as `screen.png`.

    The overview has about the microns per pixel of the model. Threads do not change a byte; the
    network is small enough not to need a GPU.

    Parameters
    ----------
    tile
        Folder of the tile stage.
    output
        Folder to write.
    options
        See `ScreenOptions`.
    threads
        Tiles of the overview at a time.
    strict
        Raise instead of putting the slide in quarantine.

    Returns
    -------
    Manifest
        With the percentage of each class, and the scale of the map.

    Raises
    ------
    ModelError
        If the model is missing or damaged, or not made for overviews.
    """
    inputs, parameters = {"tile": tile}, as_parameters(options)
    if is_quarantined(tile):
        return run_stage("screen", output, lambda *_: {}, inputs=inputs, parameters=parameters)
    # torch and MONAI take seconds to import: only for a slide that is analysed.
    from lds_path.models.card import find_model, model_files
    from lds_path.network.device import choose_device, device_name

    found = find_model(options.model)
    return run_stage(
        "screen",
        output,
        partial(_screen, model=options.model, threads=threads),
        inputs={**inputs, "model": note_input(found, model_files(found)), **slide_input(tile)},
        parameters=parameters,
        strict=strict,
        device=device_name(choose_device("cpu")),
    )


def _screen(folder: Path, inputs: StageInputs, *, model: str, threads: int) -> ScreenResults:
    """Write the class map."""
    from lds_path.inference.screening import classify_overview
    from lds_path.models.card import find_model
    from lds_path.models.checkpoint import load_model

    segmenter, card = load_model(find_model(model))
    check_model(card, model)
    overview = read_overview(open_pyramid(inputs["tile"].path), card.mpp)
    labels = classify_overview(
        segmenter, overview.pixels, side=card.region_size.width, threads=threads
    )
    write_class_map(folder, labels, card.classes)
    counts = np.bincount(labels.ravel(), minlength=len(card.classes) + 1)
    return ScreenResults(
        model=model,
        model_mpp=card.mpp,
        classes=card.classes,
        percent={
            item.name: round(100 * int(counts[item.value]) / labels.size, 4)
            for item in card.classes
        },
        map_downsample=float(overview.downsample),
        map_mpp=overview.mpp,
    )


def check_model(card: ModelCard, model: str) -> None:
    """Check that a model classifies every pixel of what it is shown, and knows tissue.

    Raises
    ------
    ModelError
        If it was trained to see fewer samples than pixels, or to choose them, or lacks the class.
    """
    network = card.network
    has_more = network.uses_view or network.texture
    if has_more or card.lattice != card.region_size:
        raise ModelError(
            f"the model '{model}' samples regions sparsely; the stage screen needs one that sees"
            " every pixel of an overview, such as tissue-qc: trained with the sampler `uniform`,"
            " without `shared_features` and `texture`, and with a `lattice` as large as"
            " `region_size`"
        )
    if TISSUE not in card.class_names:
        raise ModelError(
            f"the model '{model}' has the classes {', '.join(card.class_names)}; the stage screen"
            f" needs one with the class {TISSUE}, such as tissue-qc"
        )
