"""Inputs of the rules: files of the sheet and of models.

Each public method returns an input function for a rule, or is one. Where files are not those of the
painted slides, hashes and not times show whether they changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lds_path.errors import exit_with_message
from lds_path.models.card import find_model, model_files
from lds_path.rules.slide_files import is_input

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from lds_path.rules.setup import RunSetup


@dataclass(frozen=True)
class RuleInputs:
    """Inputs of the rules of one run."""

    setup: RunSetup
    ancient: Callable[[str], Any]
    """Snakemake's mark of a file whose time does not matter."""

    def file(self, column: str) -> Callable[[Any], list[Any]]:
        """Return an input function for the file in a column of the sheet."""
        return lambda wildcards: self.files([wildcards.slide], column)

    def files(self, slides: Sequence[str], column: str) -> list[Any]:
        """Return the files in a column of the sheet for some slides."""
        return self._mark(self.setup.slides.files(slides, column))

    @exit_with_message()
    def training_labels(self, wildcards: object) -> list[Any]:
        """Return the reference labels that a model learns from."""
        return self._mark(self.setup.training_labels)

    def encoder_weights(self, wildcards: object) -> list[Any]:
        """Return the file of weights that a training starts from, if the user brings one."""
        files = map(str, self.setup.encoder_weights)
        return [self.ancient(file) for file in files if is_input(file)]

    @exit_with_message()
    def model(self, wildcards: object) -> str | list[Any]:
        """Return the folder of the model that is trained in this run, or the files of another."""
        model = self.setup.model
        if model.is_trained:
            return str(model.folder)
        return self._files_of(model.folder)

    @exit_with_message()
    def further_models(self, wildcards: object) -> list[Any]:
        """Return the files of the models that segment beside the first one."""
        return self._files_of(*map(find_model, self.setup.config["segment"]["also"]))

    @exit_with_message()
    def starting_model(self, wildcards: object) -> list[Any]:
        """Return the files of the model that a training starts from, if there is one."""
        return self._files_of(*map(find_model, self.setup.starting_model))

    @exit_with_message()
    def screening_model(self, wildcards: object) -> list[Any]:
        """Return the files of the model that looks at overviews."""
        return self._files_of(find_model(self.setup.config["screen"]["model"]))

    def screened_if(self, *, wanted: bool) -> str | list[str]:
        """Return the folder of the stage `screen`, if it is wanted."""
        return "<results>/screen/{slide}" if wanted else []

    def _files_of(self, *models: Path) -> list[Any]:
        """Return the files of model folders."""
        files = [str(file) for model in models for file in model_files(model)]
        return [self.ancient(file) for file in files if is_input(file)]

    def _mark(self, files: Sequence[str]) -> list[Any]:
        return list(files) if self.setup.slides.painted else list(map(self.ancient, files))
