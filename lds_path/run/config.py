"""The configuration, checked against its schema with a message that names file and key."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import yaml

from lds_path.errors import UsageError, did_you_mean
from lds_path.option import About

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WORDS = {"true": True, "false": False, "null": None, "none": None, "~": None, "": None}
"""What YAML means by these words, and Snakemake where it passes None to its jobs."""
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD = jsonschema.Draft202012Validator
_Validator = jsonschema.validators.extend(
    _STANDARD,
    type_checker=_STANDARD.TYPE_CHECKER.redefine(
        "number", lambda checker, value: checker.is_type(value, "integer") or _is_finite(value)
    ),
)
"""In JSON every number is finite, in YAML `.inf` and `.nan` are numbers, too."""


def check_config(
    config: Mapping[str, Any],
    schema: Mapping[str, Any],
    *,
    files: Sequence[Path] = (),
    given: Mapping[str, Any] | None = None,
) -> None:
    """Check a configuration.

    Parameters
    ----------
    config
        The whole configuration.
    schema
        What it must be.
    files
        Where it comes from; what stands in a later file takes precedence.
    given
        The part of it from the command line, which takes precedence over all files.

    Raises
    ------
    UsageError
        If a key is unknown, missing or written twice, or a value is not what the schema allows.
    """
    for file in files:
        _check_keys(file)
    error = jsonschema.exceptions.best_match(_Validator(schema).iter_errors(config))
    if error is not None:
        key, message = _explain(error)
        source = find_source(key, files, given or {})
        raise UsageError(" ".join(f"{source}: {message}".split()))


def config_files(default: Sequence[str | Path], named: Sequence[Path]) -> list[Path]:
    """Return the files of a configuration; a later one takes precedence.

    Parameters
    ----------
    default
        Files that the workflow names, and perhaps those of the command line.
    named
        Files of the command line.
    """
    return [*(Path(file) for file in default if file not in named), *named]


def find_source(
    path: Sequence[str | int], files: Sequence[Path], given: Mapping[str, Any]
) -> str | Path:
    """Return where a key of the configuration, given by its path, was set.

    Parameters
    ----------
    path
        Names of sections and the key, and indices of items.
    files, given
        As `check_config` takes them.
    """
    if _holds(given, path):
        return "--config"
    return next((file for file in reversed(files) if _holds(_read(file), path)), "config.yaml")


def write_label_values(config: Mapping[str, Any]) -> None:
    """Turn values of label images, which YAML reads as numbers, into the text that the schema asks for.

    Parameters
    ----------
    config
        A configuration; its section `labels` is changed.
    """
    labels = config.get("labels")
    if not isinstance(labels, dict):
        return
    class_map, ignored = labels.get("class_map"), labels.get("ignore")
    if isinstance(class_map, dict):
        labels["class_map"] = {_as_text(name): target for name, target in class_map.items()}
    if isinstance(ignored, list):
        labels["ignore"] = [_as_text(name) for name in ignored]


def _as_text(value: object) -> object:
    return str(value) if type(value) is int else value


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
    validator = _Validator(schema)
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


def _explain(error: Any) -> tuple[list[str | int], str]:  # noqa: ANN401 - jsonschema ships no types
    """Return the key that is wrong, by its path, and what is wrong with it."""
    path = list(error.absolute_path)
    key = ".".join(map(str, path))
    if error.validator == "additionalProperties":
        known = list(error.schema["properties"])
        unknown = next(name for name in error.instance if name not in known)
        key = f"{key}.{unknown}" if key else unknown
        near = did_you_mean(str(unknown), known)
        hint = f"did you mean '{near}'?" if near else f"known keys are {', '.join(known)}"
        return [*path, unknown], f"the key '{key}' is unknown; {hint}"
    where = f"'{key}'" if key else "the configuration"
    # One of several forms has no description of its own.
    schemas = [error.schema, *([error.parent.schema] if error.parent else [])]
    meaning = next((one["description"] for one in schemas if "description" in one), "")
    found = error.message
    if error.validator == "pattern" and meaning:
        found = f"{error.instance!r} does not match any form that it can have"
    limits = About(
        text="",
        minimum=error.schema.get("minimum"),
        above=error.schema.get("exclusiveMinimum"),
        maximum=error.schema.get("maximum"),
    )
    expected = f"; expected {limits.bounds()}" if limits.is_bounded else ""
    return path, f"{where}: {found}{expected}" + (f"; it is: {meaning}" if meaning else "")


def _read(file: Path) -> Any:  # noqa: ANN401 - any YAML
    try:
        return yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):  # Snakemake has read it in its own way
        return None


def _check_keys(file: Path) -> None:
    """Refuse a file that has a key twice: the last one would count, without a word."""
    try:
        nodes = [yaml.compose(file.read_text(encoding="utf-8"), _Loader)]
    except (OSError, ValueError, yaml.YAMLError):  # as above
        return
    for node in nodes:
        if not isinstance(node, yaml.CollectionNode):
            continue
        if isinstance(node, yaml.SequenceNode):
            nodes += node.value
            continue
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        nodes += [value for _, value in node.value]
        for place, (key, _) in enumerate(node.value):
            if key.value in keys[:place]:
                raise UsageError(
                    f"{file}, line {key.start_mark.line + 1}: the key '{key.value}' is written"
                    " twice; keep one of them"
                )


def _holds(content: Any, path: Sequence[str | int]) -> bool:  # noqa: ANN401 - any YAML
    for part in path:
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return False
    return bool(path)


def _is_finite(value: object) -> bool:
    return isinstance(value, float) and math.isfinite(value)
