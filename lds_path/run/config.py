"""The configuration, checked against its schema with a message that names the key."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Any

import jsonschema

from lds_path.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


def check_config(config: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    """Check a configuration.

    Raises
    ------
    UsageError
        If a key is unknown or missing, or a value is not what the schema allows.
    """
    validator = jsonschema.Draft202012Validator(schema)
    error = jsonschema.exceptions.best_match(validator.iter_errors(config))
    if error is not None:
        raise UsageError(" ".join(f"config.yaml: {_explain(error)}".split()))


def _explain(error: Any) -> str:  # noqa: ANN401 - jsonschema ships no types
    place = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = next(key for key in error.instance if key not in known)
        key = f"{place}.{unknown}" if place else unknown
        near = difflib.get_close_matches(unknown, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known keys are {', '.join(known)}"
        return f"the key '{key}' is unknown; {hint}"
    where = f"'{place}'" if place else "the configuration"
    expected = error.schema.get("description", "")
    return f"{where}: {error.message}" + (f"; it is: {expected}" if expected else "")
