"""A configuration as the options of the stages, checked as a whole before any of them runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lds_path.errors import UsageError
from lds_path.option import Kind, describe, make_options
from lds_path.options.schema import SECTIONS
from lds_path.run.config import check_config, find_source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lds_path.option import Options


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


def _read_section(defaults: Options, content: Mapping[str, Any]) -> Options:
    texts = {one.name for one in describe(defaults) if one.kind == Kind(str)}
    values = {
        name: str(value) if name in texts else value  # a budget may be a number
        for name, value in content.items()
        if value is not None
    }
    return make_options(defaults, values)
