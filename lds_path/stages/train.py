"""Train a model on the labelled slides of a sheet."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from lds_path import __version__
from lds_path.augmentation import Augmentation
from lds_path.classes import make_classes
from lds_path.fit import Fit, Schedule, clear_state
from lds_path.formats.legend import IGNORED_CLASSES, Legend
from lds_path.formats.manifest import FILE_NAME, Manifest, run_stage, sha256
from lds_path.network.checkpoint import ModelCard
from lds_path.network.device import choose_device, device_name
from lds_path.network.segmenter import NetworkSpec, Segmenter, check_sizes
from lds_path.training import Recipe, Trainer
from lds_path.training_set import (
    check_alike,
    check_classes,
    common_mpp,
    find_slides,
    measure_colour,
    open_training_set,
    summarise,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lds_path.classes import LabelClass
    from lds_path.training_set import LabelledSlide

_PLACES = ("sheet", "output", "tile", "detect", "base", "state")
_HARMLESS = ("device", "threads", "cache_mib")
"""Parameters that may change between the parts of an interrupted training."""
_CARD_WORDS = ("description", "data", "licence", "authors")


def train(
    sheet: Path,
    output: Path,
    *,
    tile: Path,
    detect: Path,
    base: Path | None = None,
    state: Path | None = None,
    classes: tuple[str, ...],
    colors: tuple[str, ...] = (),
    class_map: Mapping[str, str] | None = None,
    ignore: tuple[str, ...] = IGNORED_CLASSES,
    unlabelled: str = "background",
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
    balance: float = 1.0,
    blur_chance: float = 0.1,
    noise_chance: float = 0.1,
    tune_every: int = 100,
    patience: int = 10,
    seed: int = 1,
    cache_mib: int = 2048,
    device: str = "auto",
    threads: int = 1,
    description: str = "",
    data: str = "",
    licence: str = "",
    authors: tuple[str, ...] = (),
) -> Manifest:
    """Train a model; the folder is then a model folder.

    It learns from the slides with `labels` and the split `train`, and keeps the weights with the
    best mean Dice on those of the split `tune`, or the last ones where there are none. Besides
    the model it writes `training.tsv` and `curve.png`. The same inputs, seed, device and threads
    give the same weights, whether the training was interrupted or not.

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
    state
        Folder of an interrupted training, from which an equal one goes on; emptied at the end.
        Beside the output when None.
    classes
        Names of the classes, in the order of their label values 1, 2, ...
    colors
        Their colours as #rrggbb; chosen from a palette when empty.
    class_map, ignore, unlabelled
        See `Legend`.
    architecture, channels, sampler, kernel_width, density_floor
        See `NetworkSpec`.
    steps, learning_rate, density_learning_rate, edge_weight, seed
        See `Recipe`.
    batch_size
        Regions in a step.
    balance
        See `region_chances`.
    blur_chance, noise_chance
        See `Augmentation`.
    tune_every
        Steps between two measurements of the Dice.
    patience
        Measurements without a better Dice after which the training stops; 0 never stops early.
    cache_mib
        Memory for regions that are kept between steps.
    device
        `cpu`, `cuda`, or `auto` for a GPU where there is one.
    threads
        Threads of the network on a CPU, and reading threads.
    description, data, licence, authors
        Written into the model: what it is for, where the training data come from.

    Raises
    ------
    LabelsError
        If the labels of a slide cannot be read or do not fit it or the classes.
    TrainingError
        If there is nothing to learn from, or the loss is not a number.
    UsageError
        If the sheet or a parameter cannot be used.
    """
    parameters = {name: value for name, value in locals().items() if name not in _PLACES}
    place = choose_device(device)
    model_classes = make_classes(classes, colors)
    shape = NetworkSpec(
        class_count=len(classes),
        architecture=architecture,
        channels=channels,
        sampler=sampler,
        kernel_width=kernel_width,
        density_floor=density_floor,
    )
    augmentation = Augmentation(blur_chance, noise_chance)
    schedule = Schedule(batch_size, tune_every, patience, balance, augmentation)
    training = Training(
        slides=find_slides(sheet, base=base, tile=tile, detect=detect),
        legend=Legend(classes, class_map or {}, ignore, unlabelled),
        classes=model_classes,
        shape=shape,
        recipe=Recipe(steps, learning_rate, density_learning_rate, edge_weight, seed),
        schedule=schedule,
        parameters=parameters,
        device=place,
    )
    inputs = {"sheet": sheet, **training.inputs()}
    kept = state or output.with_name(f"{output.name}-state")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        manifest = run_stage(
            "train",
            output,
            lambda folder: training.run(folder, kept, cache_mib=cache_mib, threads=threads),
            inputs=inputs,
            parameters=parameters,
            slide=output.name,
            strict=True,
            device=device_name(place),
        )
    finally:
        torch.set_num_threads(before)
    clear_state(kept)
    return manifest


@dataclass(frozen=True)
class Training:
    """What a training starts from."""

    slides: Mapping[str, Sequence[LabelledSlide]]
    legend: Legend
    classes: tuple[LabelClass, ...]
    shape: NetworkSpec
    """Without the colours, which are measured."""
    recipe: Recipe
    schedule: Schedule
    parameters: Mapping[str, Any]
    device: torch.device

    def inputs(self) -> dict[str, Path]:
        """Return the files and folders that it reads, by name."""
        inputs: dict[str, Path] = {}
        for one in (*self.slides["train"], *self.slides["tune"]):
            inputs |= {f"tile/{one.slide}": one.tile, f"detect/{one.slide}": one.detect}
            inputs |= {f"labels/{one.slide}": one.labels}
            inputs |= {f"roi/{one.slide}": one.roi} if one.roi else {}
        return inputs

    def run(self, folder: Path, state: Path, *, cache_mib: int, threads: int) -> dict[str, Any]:
        """Train, write the model folder, and return what the manifest tells."""
        train_set, tune_set = (
            open_training_set(self.slides[split], self.legend, threads=threads)
            for split in ("train", "tune")
        )
        check_classes(train_set, self.legend)
        check_alike(train_set.regions + tune_set.regions)
        mpp = common_mpp([*self.slides["train"], *self.slides["tune"]])
        mean, std = measure_colour(train_set.regions, self.shape.view_level)
        spec = replace(self.shape, mean=mean, std=std)
        region = train_set.regions[0].region
        check_sizes([region], spec)
        card = ModelCard(
            network=spec,
            classes=self.classes,
            mpp=mpp,
            region_size=region.size,
            lattice=region.lattice,
            training={
                **{k: v for k, v in self.parameters.items() if k not in _CARD_WORDS},
                "train": summarise(self.slides["train"], train_set, self.legend),
                "tune": summarise(self.slides["tune"], tune_set, self.legend),
            },
            **{name: self.parameters[name] for name in _CARD_WORDS},
        )
        # A seed of its own, so that a caller's random numbers stay as they were.
        with torch.random.fork_rng(devices=[self.device] if self.device.type == "cuda" else []):
            torch.manual_seed(self.recipe.seed)
            segmenter = Segmenter(spec).to(self.device)
            trainer = Trainer(segmenter, region.lattice, self.recipe, self.device)
            fit = Fit(
                folder=folder,
                state=state,
                identity=self._identity(),
                trainer=trainer,
                card=card,
                train_set=train_set,
                tune_set=tune_set,
                schedule=self.schedule,
            )
            return {
                **fit.run(cache_mib=cache_mib, threads=threads),
                "classes": [asdict(one) for one in self.classes],
            }

    def _identity(self) -> str:
        """Return what two trainings have in common if one may go on where the other stopped."""
        files = [path / FILE_NAME if path.is_dir() else path for path in self.inputs().values()]
        parts = {
            "parameters": {k: v for k, v in self.parameters.items() if k not in _HARMLESS},
            "inputs": dict(zip(self.inputs(), map(sha256, files), strict=True)),
            "versions": [__version__, torch.__version__],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
