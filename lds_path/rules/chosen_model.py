"""The model that a configuration asks for, checked before any stage runs."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from lds_path.errors import ModelError, UsageError
from lds_path.models.card import check_request, find_fitting_model, find_model, model_files
from lds_path.run.replaced_files import WatchedInput

if TYPE_CHECKING:
    from pathlib import Path

    from lds_path.geometry import Region
    from lds_path.network.spec import NetworkSpec

TRAIN = "train"
"""Name of the model that the run trains itself."""


@dataclass(frozen=True)
class ChosenModel:
    """The model of a run: a ready one, or that which the run trains."""

    name: str
    """As the configuration has it."""
    class_names: tuple[str, ...]
    """Those that the configuration lists; empty if the model's will do."""
    region: Region
    """A region with the size and the lattice of the run."""
    has_budget: bool
    """Whether the model has to distribute samples."""
    network: NetworkSpec
    """Of the model that the run trains."""
    trained: Path
    """Its folder."""

    @property
    def is_trained(self) -> bool:
        """Whether the run trains it."""
        return self.name == TRAIN

    @cached_property
    def folder(self) -> Path:
        """The model folder.

        Raises
        ------
        ModelError
            If there is none, it is damaged, or has other classes.
        UsageError
            If it cannot take the regions, lattices or budget that are asked for.
        """
        if self.is_trained:
            check_request(self.network, TRAIN, self.region, self.has_budget)
            return self.trained
        folder = find_fitting_model(self.name, self.class_names, self.region, self.has_budget)
        # By its relative path, a model that this run trained would be trained again on the sheet.
        is_own = folder.resolve() == self.trained.resolve()
        return folder.resolve() if is_own else folder

    def watched(self) -> dict[str, WatchedInput]:
        """Return the files that others may replace; a missing model is left to its rules."""
        if self.is_trained:
            return {}
        with suppress(ModelError):
            return _watch(self.folder)
        return {}


def watch_ready_model(name: str) -> dict[str, WatchedInput]:
    """Return the files of a model that the run does not train; a missing one is left to its rules."""
    with suppress(ModelError):
        return _watch(find_model(name))
    return {}


def read_class_names(classes: list[dict[str, str]] | None, model: str) -> tuple[str, ...]:
    """Return the names of the classes of a configuration, in the order of their label values.

    Raises
    ------
    UsageError
        If there are none, but the run trains a model.
    """
    if model == TRAIN and not classes:
        raise UsageError(
            "config.yaml: `classes` is null, but a model that is trained needs classes; list them"
        )
    return tuple(item["name"] for item in classes or [])


def _watch(folder: Path) -> dict[str, WatchedInput]:
    return {str(folder): WatchedInput(folder, model_files(folder))}
