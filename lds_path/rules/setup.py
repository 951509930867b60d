"""A run, set up from its configuration before the first job: all that the rules take from it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import yaml

from lds_path.errors import UsageError
from lds_path.geometry import Region, Size
from lds_path.inference.budget import UNIFORM, parse_budget
from lds_path.learning.recipe import OWN_WEIGHTS
from lds_path.models.ancestor import find_ancestor
from lds_path.models.card import find_model, read_card
from lds_path.models.working import set_working
from lds_path.options.configuration import read_configuration
from lds_path.options.schema import SECTIONS
from lds_path.options.slides import ALL, OVERVIEW, DetectOptions, TileOptions
from lds_path.provenance.fingerprint import COPIES
from lds_path.rules.chosen_model import TRAIN, ChosenModel, read_class_names, watch_ready_model
from lds_path.rules.slide_files import check_name, open_sheet
from lds_path.rules.stored_levels import finest_level
from lds_path.run.config import rename_old_keys, write_label_values
from lds_path.run.parent_watch import VARIABLE
from lds_path.run.replaced_files import WatchedInput
from lds_path.run.run_start import RunStart, join_run, start_run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.network.spec import NetworkSpec
    from lds_path.option import Options
    from lds_path.options.labels import PlanOptions, SegmentOptions
    from lds_path.options.model import TrainOptions
    from lds_path.rules.slide_files import SlideFiles

STATE = Path(".snakemake")
"""Folder in which Snakemake keeps the state of a run."""


@dataclass(frozen=True)
class RunSetup:
    """What a run works on, and with what."""

    config: dict[str, Any]
    """The whole configuration, with the values that come from the model."""
    options: Mapping[str, Options]
    """Section of the configuration -> options of its stage."""
    class_names: tuple[str, ...]
    """Those that the configuration lists; empty if the model's will do."""
    slides: SlideFiles
    model: ChosenModel
    results: Path
    started: RunStart
    is_main: bool
    """Whether this is the process of the run, and not that of one of its jobs."""

    @property
    def starting_model(self) -> list[str]:
        """The model that a training starts from, if there is one."""
        start = self.config["train"]["start"]
        return [] if start is None else [start]

    @property
    def ready_models(self) -> list[str]:
        """The models that are there before the run, besides that which segments."""
        config = self.config
        return [config["screen"]["model"], *config["segment"]["also"], *self.starting_model]

    @property
    def encoder_weights(self) -> list[Path]:
        """The file of weights that a training starts from, if the user brings one."""
        weights = self.config["train"]["encoder_weights"]
        own = self.model.is_trained and weights not in OWN_WEIGHTS
        return [Path(weights)] if own and Path(weights).is_file() else []

    @cached_property
    def finest_level(self) -> int:
        """Finest level of the pyramids that is stored.

        Raises
        ------
        ModelError
            If the model is damaged.
        """
        model, tile, detect = self.model, self.config["tile"], self.config["detect"]
        if tile["levels"] == ALL:
            return 0
        return finest_level(
            self._network,
            mpp=tile["mpp"],
            **{key: detect[key] for key in ("region_size", "lattice", "tissue_mpp")},
            overview=tile["levels"] == OVERVIEW,
            trains=model.is_trained,
        )

    @cached_property
    def texture_level(self) -> int | None:
        """Level of which a pyramid has the texture for its model, where the level is not stored.

        A pyramid that has only an overview has no texture; it is measured when it is needed.

        Raises
        ------
        ModelError
            If the model is damaged.
        """
        network = self._network
        is_wanted = network.texture and network.texture_level < self.finest_level
        is_stored = is_wanted and self.config["tile"]["levels"] != OVERVIEW
        return network.texture_level if is_stored else None

    @cached_property
    def _network(self) -> NetworkSpec:
        model = self.model
        return model.network if model.is_trained else read_card(find_model(model.name)).network

    @cached_property
    def training_labels(self) -> list[str]:
        """Reference labels that a model learns from, checked once in a run.

        Raises
        ------
        LabelsError, TrainingError, UsageError
            If they cannot teach what is asked for.
        """
        labels = self.slides.training_labels()
        if self.is_main:
            # It imports what reads annotations: not in the processes of jobs.
            from lds_path.reference.annotated_classes import check_training

            splits = () if self.slides.painted else ("train", "tune")
            annotations = map(self.slides.annotations, splits)
            check_training(self.class_names, self.config["labels"], *annotations)
        return labels


def set_up_run(
    config: dict[str, Any],
    schema: Mapping[str, Any],
    *,
    given: dict[str, Any],
    files: Sequence[Path],
    base: Path,
    results: Path,
    is_main: bool,
) -> RunSetup:
    """Check what a run is asked for, and start it.

    Warnings, and what was repaired after a run that was killed, go to stderr.

    Parameters
    ----------
    config
        The whole configuration; keys that are null get the values of the model.
    schema
        What it must be.
    given
        The part of it from the command line.
    files
        Where it comes from; what stands in a later file takes precedence.
    base
        Folder that contains `workflow`.
    results
        Folder of all results.
    is_main
        Whether this is the process of the run, and not that of one of its jobs.

    Raises
    ------
    LdsPathError
        If the configuration, the sheet or the model cannot be used.
    """
    for key in ("slides", "model"):
        if isinstance(config.get(key), str):
            check_name(key, config[key])
    setup, warnings = prepare_run(
        config,
        schema,
        given=given,
        files=files,
        painted=base / "workflow/sheets",
        results=results,
    )
    if is_main:
        watched = setup.slides.watched() | setup.model.watched()
        for name in setup.ready_models:
            watched |= watch_ready_model(name)
        read_by = ((results / "train", "encoder"),)
        for file in setup.encoder_weights:
            watched[str(file)] = WatchedInput(file, (file,), read_by)
        started = start_run(STATE, results, watched)
    else:
        started = join_run(STATE)
    for message in (*(warnings if is_main else ()), *started.messages):
        sys.stderr.write(f"{message}\n")
    return replace(setup, started=started, is_main=is_main)


def prepare_run(
    config: dict[str, Any],
    schema: Mapping[str, Any],
    *,
    given: Mapping[str, Any],
    files: Sequence[Path],
    painted: Path,
    results: Path,
) -> tuple[RunSetup, list[str]]:
    """Check what a run is asked for, and return it with warnings; nothing is written.

    Parameters
    ----------
    config, schema, given, files, results
        As `set_up_run` takes them.
    painted
        Folder of the sheets whose slides are painted.

    Raises
    ------
    LdsPathError
        If the configuration or the sheet cannot be used, or the model does not exist.
    """
    warnings = rename_old_keys(config, schema)
    write_label_values(config)
    read_configuration(config, schema, files=files, given=given)
    warnings += set_working(config, TileOptions(), DetectOptions())
    options = read_configuration(config, schema, files=files, given=given)
    _check_seconds(cast("PlanOptions", options["plan"]), cast("SegmentOptions", options["segment"]))
    names = read_class_names(config["classes"], config["model"])
    train = cast("TrainOptions", options["train"]).for_classes(len(names) or 1)
    ancestor = find_ancestor(train.start.start) if config["model"] == TRAIN else None
    model = ChosenModel(
        config["model"],
        names,
        region=_first_region(cast("DetectOptions", options["detect"])),
        has_budget=cast("PlanOptions", options["plan"]).budget != UNIFORM,
        network=ancestor.shape(train.network) if ancestor else train.network,
        trained=results / "train",
    )
    slides = open_sheet(config["slides"], painted=painted, results=results)
    setup = RunSetup(config, options, names, slides, model, results, RunStart({}), is_main=True)
    return setup, warnings


def read_schema(base: Path) -> dict[str, Any]:
    """Return the schema of the configuration; `base` is the folder that contains `workflow`."""
    path = base / "workflow/schemas/config.schema.yaml"
    # libyaml, where PyYAML has it, takes a tenth of the time: a fifth of a second at every start.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    schema: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), loader)
    return schema


def tell_stages(storage: str | None, prefix: Path) -> None:
    """Set what the stages of this run read from the environment.

    Parameters
    ----------
    storage
        Name of Snakemake's default storage; jobs then work on copies. None where there is none.
    prefix
        Folder of the copies of all storages.
    """
    os.environ[VARIABLE] = str(os.getpid())  # stages end with the run, even if it is killed
    if storage:
        os.environ[COPIES] = str((prefix / storage).absolute())


def _check_seconds(plan: PlanOptions, segment: SegmentOptions) -> None:
    """Check that a budget in seconds can be kept: it is measured for one model, once a region.

    Raises
    ------
    UsageError
        If options of `segment` change what a region costs.
    """
    budget = parse_budget(plan.budget)
    if budget is None or not budget.in_seconds:
        return
    usual = SECTIONS["segment"]
    for name in ("flips", "also", "precision"):
        if getattr(segment, name) != getattr(usual, name):
            raise UsageError(
                f"the configuration: the budget {plan.budget} is measured for one model, without flips and with"
                f" the usual precision, but `segment: {name}` is set, and changes what a region takes; leave it"
                " out, or give the budget in samples, such as 128 or 20000/mm2"
            )


def _first_region(options: DetectOptions) -> Region:
    """Return a region with the size and the lattice of the run."""
    size, lattice = (Size(side, side) for side in (options.region_size, options.lattice))
    return Region(0, 0, 0, size, lattice)
