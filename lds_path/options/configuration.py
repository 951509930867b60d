"""A configuration as the options of the stages, checked as a whole before any of them runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lds_path.errors import UsageError
from lds_path.option import Kind, describe, make_options
from lds_path.options.schema import SECTIONS, describe_section
from lds_path.run.config import check_config, find_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lds_path.option import Description, Options


def read_configuration(
    config: Mapping[str, Any],
    schema: Mapping[str, Any],
    *,
    files: Sequence[Path] = (),
    given: Mapping[str, Any] | None = None,
) -> dict[str, Options]:
    """Return section -> options of a configuration; a key that is null has the default.

    Parameters
    ----------
    config, schema, files, given
        As `check_config` takes them.

    Raises
    ------
    UsageError
        If a key is unknown or missing, or a value is not what the schema allows or does not go with
        the others of its section.
    """
    check_config(config, schema, files=files, given=given)
    sections = {}
    for section, defaults in SECTIONS.items():
        try:
            sections[section] = _read_section(defaults, config[section])
        except UsageError as error:
            source = find_source([section], files, given or {})
            raise UsageError(f"{source}: '{section}': {error}") from None
    return sections


def default_configuration(slides: str, model: str) -> dict[str, Any]:
    """Return the configuration of a run of a ready model, as config.yaml without changes has it.

    Parameters
    ----------
    slides
        Path of the sample sheet.
    model
        Id of a shipped model, or the path of a model folder; its classes are taken.
    """
    sections = {
        section: {option.name: _default_of(option) for option in describe_section(section)}
        for section in SECTIONS
    }
    keys = {"slides": slides, "model": model, "classes": None, "strict": False, "container": None}
    return {**keys, **sections}


def _default_of(option: Description) -> Any:  # noqa: ANN401 - any YAML
    if option.about.from_model:
        return None
    return list(option.default) if option.kind.form == "list" else option.default


def _read_section(defaults: Options, content: Mapping[str, Any]) -> Options:
    kinds = {one.name: one.kind for one in describe(defaults)}
    values = {
        name: _as_option(value, kinds[name]) for name, value in content.items() if value is not None
    }
    return make_options(defaults, values)


def _as_option(value: Any, kind: Kind) -> Any:  # noqa: ANN401 - any YAML
    """Return a value of the configuration as the command line would read it."""
    if kind.form == "list":
        return tuple(value)
    if kind.form == "mapping":
        return {name: "" if item is None else item for name, item in value.items()}
    # A budget may be a number; a whole number is one of the others, too.
    return kind.item(value) if kind.item in (str, float) else value
