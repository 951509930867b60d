"""Arguments of the rules' commands, with shell quoting.

Each public method returns a params function for a rule, or is one: Snakemake takes braces in other
texts for wildcards.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lds_path.errors import exit_with_message
from lds_path.models.card import find_model
from lds_path.rules.shell_options import format_cell, format_classes, format_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lds_path.rules.setup import RunSetup


@dataclass(frozen=True)
class RuleArguments:
    """Arguments of the rules of one run."""

    setup: RunSetup

    def options(self, *sections: str) -> Callable[[object], str]:
        """Return a params function for the options in sections of the configuration."""
        return lambda wildcards: format_options(*(self.setup.config[name] for name in sections))

    @exit_with_message()
    def stored_levels(self, wildcards: object) -> str:
        """Return what is stored of a pyramid, as options: its finest level, unless all are, and texture."""
        finest, texture = self.setup.finest_level, self.setup.texture_level
        options = [f"--finest-level {finest}"] if finest else []
        return " ".join(options + ([] if texture is None else [f"--texture-level {texture}"]))

    def classes(self, wildcards: object) -> str:
        """Return the classes as command-line options."""
        return format_classes(self.setup.config["classes"])

    def path(self, column: str, name: str, option: str = "") -> Callable[[Any, Any], str]:
        """Return a params function for a file of the sheet: the input, or the cell if it is none.

        The input may be a copy on another disk.

        Parameters
        ----------
        column
            Of the sheet.
        name
            Of the input.
        option
            Such as `--roi`.
        """

        def find(wildcards: Any, input: Any) -> str:  # noqa: A002, ANN401 - as Snakemake has them
            cell = self.setup.slides.cell(wildcards.slide, column)
            return format_cell(
                str(Path(input[name][0]).absolute()) if input[name] else cell, option
            )

        return find

    def cell(self, column: str, option: str = "") -> Callable[[Any], str]:
        """Return a params function for an option with a cell of the sheet, if it is filled."""
        return lambda wildcards: format_cell(
            self.setup.slides.cell(wildcards.slide, column), option
        )

    def model(self, wildcards: object, input: Any) -> str:  # noqa: A002, ANN401
        """Return the folder of the model, or of its copy, as a command takes it."""
        model = self.setup.model
        if model.is_trained:
            return str(input.model)
        return str(Path(input.model[0]).parent if input.model else model.folder)

    def screened(self, wildcards: object, input: Any) -> str:  # noqa: A002, ANN401
        """Return the folder of the stage `screen` as an option, if it is an input."""
        return f"--screened {input.screen}" if input.screen else ""

    def replacement(self, *columns: str) -> Callable[[Any], list[str]]:
        """Return a params function that changes when files of the sheet are replaced."""
        hashes = self.setup.started.replacements
        return lambda wildcards: self.setup.slides.replacements([wildcards.slide], columns, hashes)

    def model_replacement(self, wildcards: object) -> str:
        """Return what changes when the files of the model are replaced."""
        return self.setup.started.replacements.get(str(self.setup.model.folder), "")

    def further_replacements(self, wildcards: object) -> list[str]:
        """Return what changes when models that segment beside the first one are replaced."""
        return self._replacements_of(self.setup.config["segment"]["also"])

    def screening_model_replacement(self, wildcards: object) -> list[str]:
        """Return what changes when the model that looks at overviews is replaced."""
        return self._replacements_of([self.setup.config["screen"]["model"]])

    def training_replacements(self, wildcards: object) -> list[str]:
        """Return what changes when labels, weights or a model that a model learns from are replaced."""
        slides, hashes = self.setup.slides, self.setup.started.replacements
        weights = [hashes.get(str(file), "") for file in self.setup.encoder_weights]
        return [
            *slides.replacements(slides.training, ("labels", "roi"), hashes),
            *filter(None, weights),
            *self._replacements_of(self.setup.starting_model),
        ]

    @exit_with_message()
    def _replacements_of(self, models: Sequence[str]) -> list[str]:
        hashes = self.setup.started.replacements
        found = [hashes.get(str(find_model(model)), "") for model in models]
        return list(filter(None, found))

    @property
    def strict(self) -> str:
        """Whether a quarantined slide is a failed job."""
        return "--strict" if self.setup.config["strict"] else ""


def growing(amount: int) -> Callable[[object, int], int]:
    """Return a resource, memory or minutes, that grows by this amount with each attempt."""

    def grow(wildcards: object, attempt: int) -> int:
        return attempt * amount

    return grow
