from __future__ import annotations

import json

import pytest

from lds_path.classes import LabelClass, make_classes
from lds_path.errors import UsageError


def test_colours_are_those_asked_for_or_a_palettes():
    given = make_classes(("A", "B"), ("#010203", "#ffFE00"))
    assert [one.color for one in given] == [(1, 2, 3), (255, 254, 0)]
    assert [one.value for one in given] == [1, 2]
    assert len({one.color for one in make_classes("ABCDEFGH", ())}) == 8


@pytest.mark.parametrize(
    ("classes", "colors", "message"),
    [
        ((), (), "list each class once"),
        (("A", "A"), (), "list each class once"),
        (("A", "B"), ("#000000",), "2 classes and 1 colours"),
        (("A",), ("red",), "colour 'red' is not #rrggbb"),
    ],
)
def test_classes_that_cannot_be_used_are_named(classes, colors, message):
    with pytest.raises(UsageError, match=message):
        make_classes(classes, colors)


def test_a_class_is_read_as_it_was_written():
    one = LabelClass(3, "Drüse & <Gang>", (213, 94, 0))
    assert LabelClass.from_json(json.loads(json.dumps(one.to_json()))) == one


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {"value": 1, "name": "Tumor"},
        {"value": "1", "name": "Tumor", "color": [1, 2, 3]},
        {"value": 256, "name": "Tumor", "color": [1, 2, 3]},
        {"value": 1, "name": "Tumor", "color": [1, 2]},
        {"value": 1, "name": "Tumor", "color": [1, 2, 256]},
        {"value": 1, "name": "Tumor", "color": "#010203"},
    ],
)
def test_what_does_not_describe_a_class_is_refused(content):
    with pytest.raises(ValueError, match="expected value, name and color, such as"):
        LabelClass.from_json(content)
