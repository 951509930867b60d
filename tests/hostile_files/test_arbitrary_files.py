"""Whatever stands in a file that a user or another program wrote, the error is one for users."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from any_json import JSON, NUMBERS, put
from hypothesis import example, given
from hypothesis import strategies as st

from lds_path.errors import LdsPathError
from lds_path.formats import regions
from lds_path.models import card
from lds_path.objects import drawn_objects
from lds_path.provenance import manifest
from lds_path.run import sheet

DEEP = "[" * 100_000
HUGE = "1" + "0" * 5000
CELLS = st.sampled_from(
    ["", "1", "-1", "0", "2.5", "nan", "inf", "slide", "test", "..", '"', "1e999"]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


def read(reader, path, content):
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "replace"))
    with suppress(LdsPathError):
        reader(path)


def read_manifest(path):
    return manifest.read_manifest(path.parent)


def read_card(path):
    return card.read_card(path.parent)


READERS = {
    "slides.tsv": sheet.read_sheet,
    "manifest.json": read_manifest,
    "a.geojson": drawn_objects.read_objects,
    "regions.tsv": regions.read_regions,
    "model.json": read_card,
}


@pytest.mark.parametrize("name", READERS)
@given(content=st.text() | st.binary())
@example(content=DEEP)
@example(content="[" * 800 + "]" * 800)
@example(content=HUGE)
@example(content=b"\x1f\x8b\x08\0")
@example(content='{"a":NaN}')
@example(content="\x00")
@example(content="\ufeff")
@example(content="a\tb\n" * 3 + "c\t" * 9)
@example(content='"' * 200_000)
def test_any_bytes_are_read_or_refused(folder, name, content):
    read(READERS[name], folder / name, content)


@pytest.mark.parametrize("name", ["manifest.json", "a.geojson", "model.json"])
@given(content=JSON)
def test_any_json_is_read_or_refused(folder, name, content):
    read(READERS[name], folder / name, json.dumps(content))


@pytest.mark.parametrize("name", READERS)
def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path, name):
    (tmp_path / name).mkdir()
    with pytest.raises(LdsPathError, match=name):
        READERS[name](tmp_path / name)


@pytest.mark.parametrize("name", READERS)
def test_a_file_in_the_place_of_a_folder_is_refused(tmp_path, name):
    (tmp_path / "a").touch()
    with pytest.raises(LdsPathError):
        READERS[name](tmp_path / "a" / name)


@given(st.lists(st.lists(CELLS | st.text(max_size=5), min_size=1, max_size=8), max_size=4))
def test_any_cells_of_a_sheet_are_read_or_refused(folder, rows):
    lines = ["\t".join(line) for line in [sheet.COLUMNS, *rows]]
    read(sheet.read_sheet, folder / "slides.tsv", "\n".join(lines))


@given(st.lists(st.lists(CELLS | st.text(max_size=5), max_size=13), max_size=4))
def test_any_cells_of_a_region_table_are_read_or_refused(folder, rows):
    lines = ["\t".join(line) for line in [regions.COLUMNS, *rows]]
    read(regions.read_regions, folder / "regions.tsv", "\n".join(lines))


POINTS = st.lists(NUMBERS, max_size=4) | JSON
RINGS = st.lists(st.lists(POINTS, max_size=6), max_size=3)
SQUARE = [[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]]


@given(
    kind=st.sampled_from(["Polygon", "MultiPolygon", "Point", "GeometryCollection"]) | JSON,
    coordinates=RINGS | st.lists(RINGS, max_size=3) | st.just([SQUARE]) | JSON,
    ellipse=st.booleans() | JSON,
    properties=st.fixed_dictionaries({"classification": JSON, "childObjects": JSON}) | JSON,
)
def test_any_geojson_is_read_or_refused(folder, kind, coordinates, ellipse, properties):
    geometry = {"type": kind, "coordinates": coordinates, "isEllipse": ellipse}
    feature = {"type": "Feature", "geometry": geometry, "properties": properties}
    read(drawn_objects.read_objects, folder / "a.geojson", json.dumps(feature))


CARD = json.loads((card.SHIPPED / "demo" / "model.json").read_text(encoding="utf-8"))
PLACES = [(name,) for name in CARD] + [
    (name, inner) for name in CARD if isinstance(CARD[name], dict) for inner in CARD[name]
]


@given(place=st.sampled_from(PLACES), value=JSON)
def test_a_model_card_with_any_value_is_read_or_refused(folder, place, value):
    read(read_card, folder / "model.json", json.dumps(put(CARD, place, value)))
