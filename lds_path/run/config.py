"""The configuration, checked against its schema with a message that names the key."""

from __future__ import annotations

import difflib
import math
from typing import TYPE_CHECKING, Any

import jsonschema

from lds_path.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

WORDS = {"true": True, "false": False, "null": None, "~": None, "": None}
"""What YAML means by these words."""


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


def rename_old_keys(config: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Move the values of keys under their old names to the present names.

    An old key can only come from the user: the shipped configuration has the present ones.

    Parameters
    ----------
    config
        A configuration; its sections are changed.
    schema
        Its schema, where `formerly` is the old name of a key.

    Returns
    -------
    list of str
        A warning for each old key.
    """
    warnings = []
    for section, description in schema["properties"].items():
        content = config.get(section)
        for name, key in description.get("properties", {}).items():
            old_name = key.get("formerly")
            if isinstance(content, dict) and old_name in content:
                content[name] = content.pop(old_name)
                warnings.append(
                    f"config.yaml: the key '{section}.{old_name}' is now called '{section}.{name}';"
                    " rename it"
                )
    return warnings


def read_strings(given: Any, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON
    """Return the part of a configuration from the command line, with the types of the schema.

    Snakemake reads the items of lists and mappings, and words such as `true`, as strings. A
    string that the schema allows stays one; so does one that has no type of the schema, which
    `check_config` then reports.

    Parameters
    ----------
    given
        A configuration or a part of it.
    schema
        JSON schema of that part.
    """
    if isinstance(given, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        rest = other if isinstance(other, dict) else {}
        return {key: read_strings(value, known.get(key, rest)) for key, value in given.items()}
    if isinstance(given, list):
        return [read_strings(item, schema.get("items", {})) for item in given]
    return _read_string(given, schema) if isinstance(given, str) else given


def _read_string(text: str, schema: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any scalar of JSON
    validator = jsonschema.Draft202012Validator(schema)
    if validator.is_valid(text):
        return text
    value = _read_scalar(text)
    has_type = any(validator.is_type(value, kind) for kind in _allowed_types(schema))
    return value if has_type or validator.is_valid(value) else text


def _read_scalar(text: str) -> str | float | bool | None:
    word = text.strip().lower()
    if word in WORDS:
        return WORDS[word]
    for kind in (int, float):
        try:
            number = kind(word)
        except ValueError:
            continue
        return number if math.isfinite(number) else text
    return text


def _allowed_types(schema: Mapping[str, Any]) -> list[str]:
    kinds = schema.get("type", [])
    choices = [*schema.get("oneOf", []), *schema.get("anyOf", [])]
    types = [kinds] if isinstance(kinds, str) else list(kinds)
    return types + [kind for choice in choices for kind in _allowed_types(choice)]


def _explain(error: Any) -> str:  # noqa: ANN401 - jsonschema ships no types
    key_path = ".".join(str(part) for part in error.absolute_path)
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = next(key for key in error.instance if key not in known)
        key = f"{key_path}.{unknown}" if key_path else unknown
        near = difflib.get_close_matches(unknown, known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known keys are {', '.join(known)}"
        return f"the key '{key}' is unknown; {hint}"
    where = f"'{key_path}'" if key_path else "the configuration"
    expected = error.schema.get("description", "")
    return f"{where}: {error.message}" + (f"; it is: {expected}" if expected else "")
