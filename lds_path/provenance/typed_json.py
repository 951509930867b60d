"""JSON as frozen dataclasses: every field is checked on reading, and written back unchanged."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

Kind = TypeVar("Kind")

_NAMES = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def from_json(kind: type[Kind], content: object) -> Kind:
    """Return a dataclass from a JSON object; keys without a field are ignored.

    The fields may be of bool, int, float, str, object (for anything), other dataclasses, classes
    with a `from_json` of their own, tuples and mappings from str of these, each of them or None.
    A field without a default must be present.

    Raises
    ------
    ValueError
        If a field is missing or has a value of another type; the message says which, what was found
        and what was expected.
    """
    if not isinstance(content, dict):
        raise _mismatch("", content, "an object")
    return _read_fields(kind, content, "")


def to_json(value: object) -> Any:  # noqa: ANN401 - any JSON
    """Return a dataclass, and everything in it, as JSON; see `from_json`.

    A field with the default None is left out if it is None.
    """
    if hasattr(value, "to_json"):
        return value.to_json()
    if is_dataclass(value):
        written = [item for item in fields(value) if _is_written(item, value)]
        return {item.name: to_json(getattr(value, item.name)) for item in written}
    if isinstance(value, Mapping):
        return {name: to_json(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    return value


def _is_written(item: Field[Any], value: object) -> bool:
    return item.default is not None or getattr(value, item.name) is not None


def _read_fields(kind: type[Kind], content: Mapping[str, object], prefix: str) -> Kind:
    hints = _hints_of(kind)  # type: ignore[arg-type] # a class can be hashed
    values = {}
    for item in fields(kind):  # type: ignore[arg-type] # kind is a dataclass
        where = f"{prefix}.{item.name}" if prefix else item.name
        if item.name in content:
            values[item.name] = _read(hints[item.name], content[item.name], where)
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ValueError(f"it lacks '{where}', expected {_expected(hints[item.name])}")
    return kind(**values)


@cache
def _hints_of(kind: type) -> Mapping[str, Any]:
    """Return the type of each field; to find it takes longer than to read the field."""
    return get_type_hints(kind)


def _read(hint: Any, value: object, where: str) -> Any:  # noqa: ANN401 - any type, any value
    """Return a value as its type hint demands."""
    if hint is object or (hint in _NAMES and _is_plain(hint, value)):
        return value
    origin, inner = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        return None if value is None else _read(inner[0], value, where)
    if hasattr(hint, "from_json"):
        try:
            return hint.from_json(value)
        except ValueError as error:
            raise ValueError(f"'{where}' is not {_expected(hint)}: {error}") from None
    if is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        return _read_fields(hint, value, where)
    if origin is tuple and isinstance(value, list) and _fits_length(inner, len(value)):
        kinds = inner[:1] * len(value) if inner[1:] == (...,) else inner
        parts = enumerate(zip(kinds, value, strict=True))
        return tuple(_read(hint, part, f"{where}[{number}]") for number, (hint, part) in parts)
    if origin is Mapping and isinstance(value, dict):
        return {name: _read(inner[1], part, f"{where}.{name}") for name, part in value.items()}
    raise _mismatch(where, value, _expected(hint))


def _fits_length(inner: tuple[Any, ...], length: int) -> bool:
    return inner[1:] == (...,) or len(inner) == length


def _is_plain(kind: type, value: object) -> bool:
    """Return whether a value is a bool, a text or a finite number, as its type says."""
    if kind is float:
        return type(value) is int or (type(value) is float and math.isfinite(value))
    return type(value) is kind


def _expected(hint: Any) -> str:  # noqa: ANN401 - any type
    origin, inner = get_origin(hint), get_args(hint)
    if origin is types.UnionType:
        return f"{_expected(inner[0])} or null"
    if origin is tuple:
        return "a list" if inner[1:] == (...,) else f"a list of {len(inner)}"
    return _NAMES.get(hint, "an object")


def _mismatch(where: str, value: object, expected: str) -> ValueError:
    subject = f"'{where}'" if where else "it"
    return ValueError(f"{subject} is {repr(value)[:40]}, expected {expected}")
