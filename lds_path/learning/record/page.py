"""Writes the page of a training from what the training knows."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from lds_path.learning.record.training_log import CURVE_NAME
from lds_path.learning.tuning.score import by_class, known, score_regions
from lds_path.learning.tuning.worst_regions import draw_examples
from lds_path.models.checkpoint import load_model
from lds_path.reporting.training_page import (
    PAGE_NAME,
    LearnedClass,
    TrainingPage,
    render_training,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lds_path.learning.data.labelled_regions import RegionCache
    from lds_path.learning.data.training_set import TrainingSet
    from lds_path.learning.trainer import Trainer
    from lds_path.models.card import ModelCard


def write_page(
    folder: Path,
    trainer: Trainer,
    tune: RegionCache,
    sets: Mapping[str, TrainingSet],
    warnings: Sequence[str],
    *,
    model: Path,
) -> dict[str, dict[str, float | None]]:
    """Write the page beside the model and its curve.

    Parameters
    ----------
    folder
        The model folder, with the curve.
    trainer
        How the model was trained.
    tune
        The regions that it is scored on.
    sets
        Split -> its labelled regions.
    warnings
        What should be known of the labelled slides.
    model
        The name that the folder gets when it is complete.

    Returns
    -------
    dict
        Slide of the split `tune` -> class -> Dice.
    """
    segmenter, card = load_model(folder)
    segmenter, device, recipe = segmenter.to(trainer.device), trainer.device, trainer.recipe
    scores = score_regions(segmenter, tune, card.lattice, device, recipe=recipe)
    dice_by_slide = {
        slide: by_class(card.class_names, known(dice))
        for slide, dice in scores.dice_by_slide().items()
    }
    page = TrainingPage(
        model=str(model),
        description=card.description,
        facts=_facts(card),
        warnings=warnings,
        curve=(folder / CURVE_NAME).read_bytes(),
        classes=[_describe(card, sets, number) for number in range(len(card.classes))],
        slides={
            slide: [dice[name] for name in card.class_names]
            for slide, dice in dice_by_slide.items()
        },
        examples=draw_examples(segmenter, tune, scores, card, device, recipe),
        commands=_commands(model),
    )
    (folder / PAGE_NAME).write_text(render_training(page), encoding="utf-8", newline="\n")
    return dice_by_slide


def _describe(card: ModelCard, sets: Mapping[str, TrainingSet], number: int) -> LearnedClass:
    item = card.classes[number]
    train, tune = (card.training[split]["labelled_mm2"][item.name] for split in ("train", "tune"))
    return LearnedClass(
        label_class=item,
        train_mm2=train,
        train_slides=len(sets["train"].slides_with(number)),
        tune_mm2=tune,
        tune_slides=len(sets["tune"].slides_with(number)),
        dice=card.scores["tune_dice"].get(item.name),
        start_dice=card.scores.get("start_dice", {}).get(item.name),
    )


def _facts(card: ModelCard) -> dict[str, str]:
    network, size = card.network, card.region_size
    facts = {
        "Weights": f"of step {card.scores['step']} of at most {card.training['steps']}",
        "Network": f"{network.architecture}, sampler {network.sampler}",
        "Regions": f"{size.width} x {size.height} pixels of {card.mpp:g} µm, seen as"
        f" {card.lattice.width} x {card.lattice.height} samples",
    }
    if card.ancestor:
        licence = card.ancestor["licence"]
        facts["Started from"] = f"{card.ancestor['model']}{f' ({licence})' if licence else ''}"
    for split, name in (("train", "Learned from"), ("tune", "Scored on")):
        summary = card.training[split]
        facts[name] = (
            f"{summary['regions']} regions, {len(summary['slides'])} slides,"
            f" {summary['patients']} patients: {', '.join(summary['slides']) or 'none'}"
        )
    return facts


def _commands(model: Path) -> dict[str, str]:
    name = shlex.quote(str(model))
    return {
        "On other slides": f"snakemake --cores all --config model={name} slides=SHEET",
        "All about it": f"lds-path describe {name}",
        "For MONAI": f"lds-path bundle {name} BUNDLE",
    }
