"""Train a model on the labelled slides of a sheet."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from lds_path.classes import make_classes
from lds_path.errors import UsageError
from lds_path.formats.slide_pixels.origin import slide_input
from lds_path.learning.data.training_set import (
    SPLITS,
    check_alike,
    check_classes,
    common_mpp,
    find_slides,
    measure_colour,
    open_training_set,
    origin_of,
    summarise,
)
from lds_path.learning.fit import Fit, error_weights
from lds_path.learning.record.progress import last_lines
from lds_path.learning.trainer import Trainer
from lds_path.learning.training_state import clear_state, identify
from lds_path.models.ancestor import Ancestor, find_ancestor
from lds_path.models.card import ModelCard, model_files
from lds_path.models.encoder_weights import (
    IMAGENET,
    NONE,
    find_encoder_weights,
    start_encoder,
)
from lds_path.models.inheritance import inherit
from lds_path.models.working import compare_working
from lds_path.network.architectures.efficientnet_lite import MEAN, STD
from lds_path.network.device import Device, device_name, seeded, take_device, use_threads
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import check_sizes
from lds_path.option import as_parameters, old_names
from lds_path.options.model import TrainOptions
from lds_path.provenance.fingerprint import note_input, sha256
from lds_path.provenance.manifest import FILE_NAME, Manifest
from lds_path.provenance.stage_run import run_stage
from lds_path.reference.annotated_classes import check_contrast
from lds_path.reference.legend import Legend

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lds_path.classes import LabelClass
    from lds_path.learning.data.training_set import LabelledSlide, TrainingSet
    from lds_path.provenance.fingerprint import InputFiles

log = logging.getLogger(__name__)


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
    options: TrainOptions = TrainOptions(),
    threads: int = 1,
) -> Manifest:
    """Train a model; the folder is then a model folder.

    It learns from the slides with `labels` in the split `train`, and keeps the weights with the
    best mean Dice on the split `tune`, or the last weights if that has none. Besides the model
    it writes `training.tsv`, `curve.png` and the page `index.html`. The same inputs, seed, device and threads
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
        Folder from which an interrupted training with the same inputs resumes; emptied at the end.
        Beside the output when None.
    classes
        Names of the classes, in the order of their label values 1, 2, ...
    colors
        Their colours as #rrggbb; chosen from a palette when empty.
    options
        See `TrainOptions`.
    threads
        Threads of the network on a CPU, and reading threads.

    Raises
    ------
    LabelsError
        If the labels of a slide cannot be read or do not fit it or the classes.
    TrainingError
        If there is nothing to learn from, or the loss is not a number.
    UsageError
        If the sheet or a parameter cannot be used.
    """
    legend = Legend(classes, **as_parameters(options.labels))
    check_contrast(legend)
    state = state or output.with_name(f"{output.name}-state")
    noted = note_input(sheet)
    with take_device(options.device) as device:
        ancestor = find_ancestor(options.start.start)
        training = Training(
            slides=find_slides(sheet, base=base, tile=tile, detect=detect),
            legend=legend,
            classes=make_classes(classes, colors),
            options=_settle(options, len(classes), ancestor),
            device=device,
            ancestor=ancestor,
        )
        inputs: dict[str, Path | InputFiles] = {"sheet": noted, **training.inputs()}
        inputs |= training.slide_inputs()
        with use_threads(threads):
            manifest = run_stage(
                "train",
                output,
                lambda folder, _: training.run(folder, state, output, threads=threads),
                inputs=inputs,
                parameters={
                    **training.parameters(),
                    "cache_mib": options.cache_mib,
                    "device": options.device,
                    "threads": threads,
                },
                slide=output.name,
                strict=True,
                device=device_name(device),
            )
    clear_state(state)
    for line in last_lines(output, manifest.results):
        log.info(line)
    return manifest


def _settle(options: TrainOptions, class_count: int, ancestor: Ancestor | None) -> TrainOptions:
    """Return the options for a number of classes, with the network of the ancestor, if any."""
    options = options.for_classes(class_count)
    return replace(options, network=ancestor.shape(options.network)) if ancestor else options


@dataclass(frozen=True)
class Training:
    """What a training starts from."""

    slides: Mapping[str, Sequence[LabelledSlide]]
    legend: Legend
    classes: tuple[LabelClass, ...]
    options: TrainOptions
    device: Device
    ancestor: Ancestor | None = None
    """The model that it starts from."""

    def parameters(self) -> dict[str, Any]:
        """Return everything that shapes the model, besides the slides."""
        return {
            **asdict(self.legend),
            "colors": [item.color for item in self.classes],
            **self.options.parameters(),
        }

    def about(self) -> dict[str, Any]:
        """Return the texts of the model card."""
        return {
            "description": self.options.description,
            "data": self.options.data,
            "licence": self.options.licence,
            "authors": self.options.authors,
        }

    def encoder_weights(self) -> Path | None:
        """Return the file that the encoder starts from, if it has one and does not start afresh."""
        if self.ancestor:
            return None
        weights, network = self.options.recipe.encoder_weights, self.options.network
        if network.architecture == "EfficientNetLite":
            return find_encoder_weights(weights, network.encoder)
        if weights not in (IMAGENET, NONE):
            raise UsageError(
                f"encoder_weights is {weights}, but the architecture {network.architecture} has no"
                " encoder that takes weights; choose EfficientNetLite"
            )
        return None

    def inputs(self) -> dict[str, Path]:
        """Return the files and folders that it reads, by name."""
        encoder = self.encoder_weights()
        inputs = {"encoder": encoder} if encoder else {}
        if self.ancestor:
            files = model_files(self.ancestor.folder)
            inputs |= {f"start/{file.name}": file for file in files}
        for slide in (*self.slides["train"], *self.slides["tune"]):
            name = slide.slide
            inputs |= {f"tile/{name}": slide.tile, f"detect/{name}": slide.detect}
            inputs |= {f"labels/{name}": slide.labels}
            inputs |= {f"roi/{name}": slide.roi} if slide.roi else {}
        return inputs

    def slide_inputs(self) -> dict[str, InputFiles]:
        """Return the slides that levels are read from which their pyramids do not hold."""
        return {
            f"slide/{slide.slide}": noted
            for slide in (*self.slides["train"], *self.slides["tune"])
            for noted in slide_input(slide.tile).values()
        }

    def run(self, folder: Path, state: Path, output: Path, *, threads: int) -> dict[str, Any]:
        """Train, write the model into a folder that becomes `output`, and return the results."""
        train_set, tune_set = (
            open_training_set(
                self.slides[split], self.legend, threads=threads, for_scores=split == "tune"
            )
            for split in SPLITS
        )
        check_classes(train_set, self.legend)
        check_alike(train_set.regions + tune_set.regions)
        card = self._card(train_set, tune_set)
        with seeded(self.options.recipe.seed, self.device):
            fit = Fit(
                folder=folder,
                model=output,
                state=state,
                identity=self._identity(),
                trainer=self._trainer(card, train_set),
                card=card,
                train_set=train_set,
                tune_set=tune_set,
                schedule=self.options.course,
                remarks=self._compare_with_ancestor(card),
                ancestor=self.ancestor,
            )
            return {
                **fit.run(cache_mib=self.options.cache_mib, threads=threads),
                "classes": [item.to_json() for item in self.classes],
            }

    def _card(self, train_set: TrainingSet, tune_set: TrainingSet) -> ModelCard:
        """Return the card of the model, without its scores."""
        network, region = self.options.network, train_set.regions[0].region
        if self.ancestor is None:
            mean, std = self._colours(train_set)
            network = replace(network, mean=mean, std=std)
        check_sizes([region], network)
        return ModelCard(
            network=network,
            classes=self.classes,
            mpp=common_mpp([*self.slides["train"], *self.slides["tune"]]),
            region_size=region.size,
            lattice=region.lattice,
            **origin_of(self.slides["train"]),
            training={
                **self.parameters(),
                "train": summarise(self.slides["train"], train_set, self.legend),
                "tune": summarise(self.slides["tune"], tune_set, self.legend),
            },
            ancestor=self.ancestor.about() if self.ancestor else {},
            **self.about(),
        )

    def _compare_with_ancestor(self, card: ModelCard) -> list[str]:
        """Return what differs from what the model that it starts from has learned from."""
        if self.ancestor is None:
            return []
        remarks = compare_working(
            self.ancestor.card,
            self.ancestor.name,
            mpp=card.mpp,
            sizes=[card.region_size],
            lattices=[card.lattice],
        )
        return [remark.reason for remark in remarks]

    def _colours(self, train_set: TrainingSet) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Return mean and spread of the colours that a new network is normalised by."""
        if self.encoder_weights():
            return MEAN, STD
        return measure_colour(train_set.regions, self.options.network.view_level)

    def _trainer(self, card: ModelCard, train_set: TrainingSet) -> Trainer:
        """Return the trainer of a new network."""
        recipe, encoder = self.options.recipe, self.encoder_weights()
        segmenter = Segmenter(card.network)
        inherited: frozenset[str] = frozenset()
        if encoder:
            start_encoder(segmenter, encoder)
        if self.ancestor:
            inherited = inherit(segmenter, self.ancestor.folder, card.class_names)
        return Trainer(
            segmenter.to(self.device),
            card.lattice,
            recipe,
            self.device,
            augmentation=self.options.course.augmentation,
            error_weights=error_weights(train_set.counts, recipe.error_power),
            start=self.options.start,
            inherited=inherited,
        )

    def _identity(self) -> str:
        files = [path / FILE_NAME if path.is_dir() else path for path in self.inputs().values()]
        # Under the old names, so that a training begun with them can be resumed.
        old = old_names(self.options)
        parameters = {old.get(name, name): value for name, value in self.parameters().items()}
        return identify(
            {
                "parameters": {**parameters, **self.about()},
                "inputs": dict(zip(self.inputs(), map(sha256, files), strict=True)),
            }
        )
