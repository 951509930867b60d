"""What JSON says becomes a dataclass, or an error that names the field."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest
from any_json import JSON
from hypothesis import given
from hypothesis import strategies as st

from lds_path.provenance.typed_json import from_json, to_json


@dataclass(frozen=True)
class Part:
    name: str
    share: float


@dataclass(frozen=True)
class Whole:
    count: int
    mpp: float
    open: bool
    power: float | None
    sides: tuple[int, ...]
    span: tuple[int, int]
    parts: tuple[Part, ...]
    by_name: Mapping[str, Part]
    later: str | None = None
    maps: Mapping[str, int] = field(default_factory=dict)


CONTENT = {
    "count": 3,
    "mpp": 0.5,
    "open": True,
    "power": None,
    "sides": [1, 2, 3],
    "span": [4, 5],
    "parts": [{"name": "a", "share": 0.25}],
    "by_name": {"b": {"name": "b", "share": 1}},
    "maps": {},
}
WHOLE = Whole(
    3, 0.5, True, None, (1, 2, 3), (4, 5), (Part("a", 0.25),), {"b": Part("b", 1)}
)  # fmt: skip


def test_fields_are_read_with_their_types():
    assert from_json(Whole, CONTENT) == WHOLE


def test_what_is_written_is_what_was_read_in_the_same_order():
    written = to_json(from_json(Whole, CONTENT))
    assert written == CONTENT
    assert list(written) == list(CONTENT)


def test_none_is_left_out_only_where_it_is_the_default():
    written = to_json(WHOLE)
    assert "later" not in written
    assert written["power"] is None


def test_unknown_keys_are_ignored():
    assert from_json(Whole, CONTENT | {"new": 1}) == WHOLE


@pytest.mark.parametrize("name", ["count", "power", "parts", "by_name"])
def test_a_missing_field_is_named(name):
    content = {key: value for key, value in CONTENT.items() if key != name}
    with pytest.raises(ValueError, match=f"lacks '{name}', expected"):
        from_json(Whole, content)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("count", 3.0, "'count' is 3.0, expected a whole number"),
        ("count", True, "'count' is True, expected a whole number"),
        ("mpp", "0.5", "'mpp' is '0.5', expected a number"),
        ("mpp", True, "'mpp' is True, expected a number"),
        ("mpp", float("nan"), "'mpp' is nan, expected a number"),
        ("mpp", None, "'mpp' is None, expected a number"),
        ("open", 1, "'open' is 1, expected true or false"),
        ("power", "high", "'power' is 'high', expected a number"),
        ("sides", [1, "2"], r"'sides\[1\]' is '2', expected a whole number"),
        ("sides", 1, "'sides' is 1, expected a list"),
        ("span", [4], r"'span' is \[4\], expected a list of 2"),
        ("parts", [{"name": "a"}], r"lacks 'parts\[0\].share', expected a number"),
        ("parts", ["a"], r"'parts\[0\]' is 'a', expected an object"),
        ("by_name", {"b": {"name": 1, "share": 1}}, "'by_name.b.name' is 1, expected text"),
        ("by_name", [], r"'by_name' is \[\], expected an object"),
    ],
)
def test_a_value_of_another_type_is_named_with_what_was_expected(name, value, message):
    with pytest.raises(ValueError, match=message):
        from_json(Whole, CONTENT | {name: value})


@given(name=st.sampled_from(list(CONTENT)), value=JSON)
def test_any_value_is_read_as_it_is_or_refused(name, value):
    try:
        found = from_json(Whole, CONTENT | {name: value})
    except ValueError:
        return
    written = to_json(found)
    assert set(written) >= set(CONTENT) - {"later"}
    if not isinstance(value, dict | list):  # of objects, what is not known is left out
        assert written[name] == value


@given(JSON.filter(lambda content: not isinstance(content, dict)))
def test_what_is_not_an_object_is_refused(content):
    with pytest.raises(ValueError, match="expected an object"):
        from_json(Whole, content)
