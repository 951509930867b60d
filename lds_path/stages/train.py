"""Train a model on the labelled slides of a sheet."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from tqdm import tqdm

from lds_path.classes import LabelClass
from lds_path.dataset import RegionCache, balanced_chances, training_batches
from lds_path.errors import UsageError
from lds_path.formats.manifest import Manifest, run_stage
from lds_path.formats.training_log import TrainingLog
from lds_path.network.checkpoint import ModelCard, save_model
from lds_path.network.device import choose_device, device_name
from lds_path.network.segmenter import NetworkSpec, Segmenter, check_sizes
from lds_path.training import Recipe, Trainer, tune_dice
from lds_path.training_set import (
    TrainingSet,
    check_alike,
    common_mpp,
    find_slides,
    measure_colour,
    open_training_set,
    spread,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.training_set import LabelledSlide

PALETTE = ("#56B4E9", "#009E73", "#D55E00", "#F0E442", "#CC79A7", "#0072B2", "#E69F00", "#999999")
"""Okabe and Ito's colours, which colour-blind people tell apart."""
_PLACES = ("sheet", "output", "tile", "detect", "base")
_MOST_TUNE_REGIONS = 64


def train(
    sheet: Path,
    output: Path,
    *,
    tile: Path,
    detect: Path,
    base: Path | None = None,
    classes: tuple[str, ...],
    colors: tuple[str, ...] = (),
    architecture: str = "UNet",
    channels: tuple[int, ...] = (16, 32, 64, 96, 128),
    sampler: str = "kernel",
    kernel_width: float = 0.1,
    density_floor: float = 0.1,
    steps: int = 1500,
    batch_size: int = 4,
    learning_rate: float = 2e-3,
    density_learning_rate: float = 5e-4,
    edge_weight: float = 0.3,
    tune_every: int = 100,
    seed: int = 1,
    cache_mib: int = 2048,
    device: str = "auto",
    threads: int = 1,
    licence: str = "",
    authors: tuple[str, ...] = (),
) -> Manifest:
    """Train a model; the folder is then a model folder.

    It learns from the slides with `labels` and the split `train`, and keeps the weights with the
    best mean Dice on those of the split `tune`, or the last ones where there are none. Besides
    the model it writes `training.tsv` and `curve.png`. The same inputs, seed, device and threads
    give the same weights.

    Parameters
    ----------
    sheet
        Sample sheet.
    output
        Folder to write.
    tile, detect
        Folders that hold the tile and detect stages' folders, one per slide.
    base
        Folder that relative paths in the sheet start from; the sheet's own when None.
    classes
        Names of the classes, in the order of their label values 1, 2, ...
    colors
        Their colours as #rrggbb; chosen from a palette when empty.
    architecture, channels, sampler, kernel_width, density_floor
        See `NetworkSpec`.
    steps, learning_rate, density_learning_rate, edge_weight, seed
        See `Recipe`.
    batch_size
        Regions in a step.
    tune_every
        Steps between two measurements of the Dice.
    cache_mib
        Memory for regions that are kept between steps.
    device
        `cpu`, `cuda`, or `auto` for a GPU where there is one.
    threads
        Threads of the network on a CPU, and reading threads.
    licence, authors
        Written into the model.

    Raises
    ------
    TrainingError
        If there is nothing to learn from, the labels do not fit the classes, or the loss is not
        a number.
    UsageError
        If the sheet or a parameter cannot be used.
    """
    parameters = {name: value for name, value in locals().items() if name not in _PLACES}
    place = choose_device(device)
    model_classes = make_classes(classes, colors)
    slides = find_slides(sheet, base=base, tile=tile, detect=detect)
    used = [slide for split in slides.values() for slide in split]
    shape = NetworkSpec(
        class_count=len(classes),
        architecture=architecture,
        channels=channels,
        sampler=sampler,
        kernel_width=kernel_width,
        density_floor=density_floor,
    )
    recipe = Recipe(steps, learning_rate, density_learning_rate, edge_weight, seed)

    def work(folder: Path) -> dict[str, Any]:
        train_set = open_training_set(slides["train"], classes)
        tune_set = open_training_set(slides["tune"], classes)
        check_alike(train_set.regions + tune_set.regions)
        mean, std = measure_colour(train_set.regions, shape.view_level)
        spec = replace(shape, mean=mean, std=std)
        region = train_set.regions[0].region
        check_sizes([region], spec)
        card = ModelCard(
            network=spec,
            classes=model_classes,
            mpp=common_mpp(used),
            region_size=region.size,
            lattice=region.lattice,
            training={**parameters, "slides": _ids(slides), "regions": len(train_set.regions)},
            licence=licence,
            authors=authors,
        )
        # A seed of its own, so that a caller's random numbers stay as they were.
        with torch.random.fork_rng(devices=[place] if place.type == "cuda" else []):
            torch.manual_seed(seed)
            trainer = Trainer(Segmenter(spec).to(place), region.lattice, recipe, place)
            fit = Fit(folder, trainer, card, train_set, tune_set, batch_size, tune_every)
            return fit.run(cache_mib=cache_mib, threads=threads)

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return run_stage(
            "train",
            output,
            work,
            inputs={"sheet": sheet, **_inputs(used)},
            parameters=parameters,
            slide=output.name,
            strict=True,
            device=device_name(place),
        )
    finally:
        torch.set_num_threads(before)


def make_classes(names: Sequence[str], colors: Sequence[str]) -> tuple[LabelClass, ...]:
    """Return the classes with the values 1, 2, ... and their colours.

    Raises
    ------
    UsageError
        If there are no names, one is there twice, or the colours are not one `#rrggbb` for each.
    """
    if not names or len(set(names)) < len(names):
        raise UsageError(f"`classes` is {list(names)}; list each class once, at least one")
    colors = colors or [PALETTE[index % len(PALETTE)] for index in range(len(names))]
    if len(colors) != len(names):
        raise UsageError(f"there are {len(names)} classes and {len(colors)} colours; give one each")
    for color in colors:
        if not re.fullmatch(r"#[0-9A-Fa-f]{6}", color):
            raise UsageError(f"the colour '{color}' is not #rrggbb, such as #009E73")
    return tuple(
        LabelClass(value, name, (int(color[1:3], 16), int(color[3:5], 16), int(color[5:], 16)))
        for value, (name, color) in enumerate(zip(names, colors, strict=True), start=1)
    )


@dataclass(frozen=True)
class Fit:
    """One run of a training, with what it writes."""

    folder: Path
    trainer: Trainer
    card: ModelCard
    train_set: TrainingSet
    tune_set: TrainingSet
    batch_size: int
    tune_every: int

    def run(self, *, cache_mib: int, threads: int) -> dict[str, Any]:
        """Train, keep the best weights, and return what the manifest tells."""
        trainer, recipe, spec = self.trainer, self.trainer.recipe, self.card.network
        tune_regions = spread(self.tune_set.regions, _MOST_TUNE_REGIONS)
        tune = RegionCache(tune_regions, spec, mib=cache_mib // 4)
        batches = training_batches(
            RegionCache(self.train_set.regions, spec, mib=cache_mib - cache_mib // 4),
            balanced_chances(self.train_set.counts),
            steps=recipe.steps,
            batch_size=self.batch_size,
            seed=recipe.seed,
            threads=threads,
        )
        best_step, best_dice = 0, np.zeros(0)
        bar = tqdm(batches, total=recipe.steps, unit="step", desc="train", disable=None)
        with TrainingLog(self.folder, self.card.class_names) as record:
            for step, batch in enumerate(bar, start=1):
                losses = trainer.step(step - 1, batch)
                dice = np.zeros(0)
                if step == recipe.steps or (len(tune) and step % self.tune_every == 0):
                    dice = tune_dice(trainer.segmenter, tune, self.card.lattice, trainer.device)
                    if _mean(dice) >= _mean(best_dice):
                        best_step, best_dice = step, dice
                        self._save(step, dice)
                record.add(step, *losses, dice.tolist())
                bar.set_postfix(loss=f"{losses[0]:.3f}", tune_dice=f"{_mean(best_dice):.3f}")
        return {
            "steps": recipe.steps,
            "best_step": best_step,
            "train_regions": len(self.train_set.regions),
            "tune_regions": len(tune),
            "tune_dice": _by_class(self.card, best_dice),
            "classes": [asdict(one) for one in self.card.classes],
        }

    def _save(self, step: int, dice: NDArray[np.float64]) -> None:
        scores = {"tune_dice": _by_class(self.card, dice), "step": step}
        save_model(self.folder, self.trainer.segmenter, replace(self.card, scores=scores))


def _ids(slides: Mapping[str, Sequence[LabelledSlide]]) -> dict[str, list[str]]:
    return {split: [one.slide for one in found] for split, found in slides.items()}


def _inputs(slides: Sequence[LabelledSlide]) -> dict[str, Path]:
    inputs: dict[str, Path] = {}
    for one in slides:
        inputs |= {f"tile/{one.slide}": one.tile, f"detect/{one.slide}": one.detect}
        inputs |= {f"labels/{one.slide}": one.labels}
    return inputs


def _mean(dice: NDArray[np.float64]) -> float:
    return float(np.nanmean(dice)) if dice.size and not np.isnan(dice).all() else 0.0


def _by_class(card: ModelCard, dice: NDArray[np.float64]) -> dict[str, float | None]:
    """Return the Dice by class name; None for a class that no tuning region holds."""
    return {
        name: None if np.isnan(value) else round(value, 4)
        for name, value in zip(card.class_names, dice.tolist(), strict=False)
    }
