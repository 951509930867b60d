"""An option is checked where it is set, and found by its name whatever group it is in."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest

from lds_path.errors import UsageError
from lds_path.option import Options, as_parameters, describe, make_options, old_names, option


@dataclass(frozen=True)
class Inner(Options):
    share: float = option(0.5, "a share", minimum=0, maximum=1)
    sides: tuple[int, ...] = option((), "some sides", minimum=1, min_items=0)


@dataclass(frozen=True)
class Outer(Options):
    first: int = option(1, "a count", minimum=1, maximum=9)
    inner: Inner = field(default_factory=Inner)
    word: str | None = option(None, "a word", choices=("a", "b"))
    flag: bool = option(False, "whether")
    names: dict[str, str] = option({}, "names")
    place: float | None = option(None, "anywhere")
    noted: str = "no option"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"first": 0}, "first is 0, expected a whole number from 1 to 9"),
        ({"first": 1.0}, "first is 1.0, expected a whole number from 1 to 9"),
        ({"first": True}, "first is True, expected a whole number from 1 to 9"),
        ({"first": None}, "first is None, expected a whole number from 1 to 9"),
        ({"share": 1.5}, "share is 1.5, expected 0 to 1"),
        ({"share": float("nan")}, "share is nan, expected 0 to 1"),
        ({"share": "all"}, "share is all, expected 0 to 1"),
        ({"sides": 3}, "sides is not a list of at most 12 numbers"),
        ({"sides": range(1, 20)}, "sides is not a list of at most 12 numbers"),
        ({"sides": (4, 0)}, "sides is 0, expected a whole number of 1 or more"),
        ({"word": "c"}, "the word 'c' is unknown; there are a, b"),
        ({"flag": 1}, "flag is 1, expected true or false"),
        ({"place": "x"}, "place is x, expected a number"),
        ({"first": 10**400}, "first is 10000000000000000000, expected a whole number from 1 to 9"),
    ],
)
def test_a_value_that_cannot_be_is_named(values, message):
    with pytest.raises(UsageError) as caught:
        make_options(Outer(), values)
    assert str(caught.value) == message


def test_what_has_no_bounds_may_be_any_number():
    assert Outer(place=float("inf")).place == float("inf")
    assert Outer(place=-3).place == -3


def test_parameters_are_the_fields_in_their_order_with_those_of_groups_among_them():
    found = as_parameters(make_options(Outer(), {"share": 0.25, "word": "a"}))
    assert list(found) == ["first", "share", "sides", "word", "flag", "names", "place", "noted"]
    assert (found["share"], found["word"], found["first"]) == (0.25, "a", 1)


def test_only_options_are_described():
    assert [one.name for one in describe(Outer())] == [
        "first", "share", "sides", "word", "flag", "names", "place",
    ]  # fmt: skip


def test_an_unknown_option_is_named():
    with pytest.raises(UsageError, match="there is no option 'shares'"):
        make_options(Outer(), {"shares": 1})


def test_a_mapping_by_default_is_not_shared():
    one = Outer()
    one.names["a"] = "b"
    assert Outer().names == {}


@dataclass(frozen=True)
class Renamed(Options):
    inner: Inner = field(default_factory=Inner)
    source: str = option("a", "a source", choices=("a", "b"), old_name="origin")


def test_an_option_is_accepted_under_its_old_name_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        assert make_options(Renamed(), {"origin": "b"}) == Renamed(source="b")
    assert "the option 'origin' is now called 'source'" in caplog.text
    assert old_names(Renamed()) == {"source": "origin"}


def test_a_value_under_an_old_name_is_checked():
    with pytest.raises(UsageError, match="the source 'c' is unknown; there are a, b"):
        make_options(Renamed(), {"origin": "c"})
