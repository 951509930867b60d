"""Whatever a sheet or a configuration holds reaches a command as the words that it is."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lds_path.rules.shell_options import format_cell, format_classes, format_options


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.5, ["--a-key", "0.5"]),
        (False, ["--a-key", "False"]),
        (None, []),
        ("", ["--a-key", ""]),
        ([8, 16], ["--a-key", "8", "--a-key", "16"]),
        ([], []),
        ({"A b": "Tumor", "x": None}, ["--a-key", "A b=Tumor", "--a-key", "x="]),
    ],
)
def test_a_key_is_an_option_and_repeated_for_several_values(value, words):
    assert shlex.split(format_options({"a_key": value})) == words


def test_keys_of_sections_follow_each_other():
    assert format_options({"a": 1, "b": 2}, {"c": 3}) == "--a 1 --b 2 --c 3"


def test_classes_keep_their_order_and_none_are_nothing():
    classes = [{"name": "Tumor", "color": "#D55E00"}, {"name": "Bø x", "color": "#000000"}]
    words = ["--class", "Tumor=#D55E00", "--class", "Bø x=#000000"]
    assert shlex.split(format_classes(classes)) == words
    assert format_classes(None) == ""


@pytest.mark.parametrize("cell", ["", float("nan")])
def test_an_empty_cell_is_nothing(cell):
    assert format_cell(cell, "--roi") == ""


def test_a_number_keeps_its_digits():
    assert format_cell(0.2501, "--slide-mpp") == "--slide-mpp 0.2501"


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1))
def test_any_text_is_one_word_of_the_shell(text):
    assert shlex.split(format_cell(text)) == [text]
    assert shlex.split(format_cell(text, "--roi")) == ["--roi", text]
    assert shlex.split(format_options({"key": text})) == ["--key", text]
