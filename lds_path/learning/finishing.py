"""The end of a training: what its best model knows, and the lattice that is enough for it."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from lds_path.inference.familiarity import measure_familiarity
from lds_path.learning.trainer import STRENGTHS
from lds_path.learning.tuning.calibration import calibrate
from lds_path.learning.tuning.calibration_picture import CALIBRATION_NAME, draw_calibration
from lds_path.learning.tuning.gate import find_gate
from lds_path.learning.tuning.score import by_class, known, tune_dice
from lds_path.models.checkpoint import load_model, save_model
from lds_path.network.spec import lattices_on

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lds_path.learning.data.labelled_regions import RegionCache
    from lds_path.learning.data.training_set import TrainingSet
    from lds_path.learning.trainer import Trainer
    from lds_path.models.card import ModelCard
    from lds_path.network.segmenter import Segmenter

log = logging.getLogger(__name__)


def finish(
    best: Path,
    folder: Path,
    trainer: Trainer,
    sets: Mapping[str, TrainingSet],
    tune: RegionCache,
) -> ModelCard:
    """Write the model that scored best, with what it knows, and return its card.

    A model with a ladder gets a calibration; its own lattice becomes the smallest that scores as well as any.

    Parameters
    ----------
    best
        Folder of that model during the training.
    folder
        Where it is written.
    trainer
        That it was trained by.
    sets
        Split (train, tune) -> its regions.
    tune
        The regions that are scored.
    """
    segmenter, card = load_model(best)
    segmenter = segmenter.to(trainer.device)
    if trainer.recipe.warp_gate:
        card = _gate(segmenter, card, trainer, tune)
    if card.network.ladder and len(tune):
        card = _calibrate(segmenter, card, folder, trainer, tune)
    learned, held_out = (
        [
            (labelled.pyramid, replace(labelled.region, lattice=card.lattice))
            for labelled in sets[split].regions
        ]
        for split in ("train", "tune")
    )
    jitter = trainer.recipe.stain_jitter
    familiarity = measure_familiarity(segmenter, learned, held_out, stain_jitter=jitter)
    card = replace(card, familiarity=familiarity)
    save_model(folder, segmenter.cpu(), card)
    return card


def _gate(segmenter: Segmenter, card: ModelCard, trainer: Trainer, tune: RegionCache) -> ModelCard:
    """Return the card with the strength of the warp that is proven, which the segmenter then has, too."""
    recipe, device = trainer.recipe, trainer.device
    gate = find_gate(segmenter, tune, card.lattice, device, STRENGTHS, recipe=recipe)
    strength = gate.choose()
    log.info("train: warp of strength %g: %s", strength, gate.summary())
    network = replace(card.network, warp_strength=strength)
    segmenter.spec = network
    dice = tune_dice(segmenter, tune, card.lattice, device, recipe=recipe)
    scores = {"tune_dice": by_class(card.class_names, known(dice)), "warp": gate.summary()}
    return replace(card, network=network, scores={**card.scores, **scores})


def _calibrate(
    segmenter: Segmenter, card: ModelCard, folder: Path, trainer: Trainer, tune: RegionCache
) -> ModelCard:
    """Return the card with the calibration, whose picture is drawn, and with the lattice that is enough."""
    costs = trainer.error_weights if trainer.recipe.error_source == "network" else ()
    calibration = calibrate(segmenter, tune, trainer.device, costs)
    draw_calibration(
        folder / CALIBRATION_NAME,
        calibration.ladder,
        calibration.expected,
        calibration.measured,
        calibration.dice.tolist(),
    )
    scores = {**card.scores, "calibration": calibration.summary()}
    lattice = lattices_on(card.network.ladder, tune.read(0).size)[calibration.enough()]
    if lattice != card.lattice:
        log.info("train: %d samples a side are as good as any of the ladder", lattice.width)
        dice = tune_dice(segmenter, tune, lattice, trainer.device, recipe=trainer.recipe)
        scores["tune_dice"] = by_class(card.class_names, known(dice))
    return replace(card, lattice=lattice, scores=scores)
