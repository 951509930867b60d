from __future__ import annotations

import gzip
import json
import uuid

import pytest
import shapely
from shapely.geometry import MultiPolygon, Polygon

from lds_path.errors import LabelsError
from lds_path.objects import geojson
from lds_path.objects.drawn_objects import read_objects
from lds_path.objects.geojson import SlideObject, write_classes, write_geojson

SQUARE = [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]]
HOLED = [*SQUARE, [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]]


def feature(geometry, **properties):
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def polygon(coordinates=SQUARE):
    return {"type": "Polygon", "coordinates": coordinates}


def write(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


OBJECTS = [
    SlideObject(Polygon(*[HOLED[0], HOLED[1:]]), "Tumor", (200, 0, 0), "annotation", {"Area": 1.5}),
    SlideObject(shapely.box(10.25, 3, 12.5, 7), "Stroma", (1, 2, 3), "detection"),
    SlideObject(
        MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)]), "A: b", (1, 2, 3)
    ),
]


@pytest.mark.parametrize("name", ["slide.geojson", "slide.geojson.gz", "slide.json"])
def test_what_is_written_is_read_again(tmp_path, name):
    assert write_geojson(tmp_path / name, OBJECTS, slide="s") == 3
    read = read_objects(tmp_path / name).polygons
    assert [name for name, _ in read] == ["Tumor", "Stroma", "A: b"]
    assert all(area.equals(item.geometry) for (_, area), item in zip(read, OBJECTS, strict=True))


def test_the_same_objects_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_geojson(tmp_path / f"{name}.geojson.gz", OBJECTS, slide="s")
    assert (tmp_path / "a.geojson.gz").read_bytes() == (tmp_path / "b.geojson.gz").read_bytes()


def test_a_feature_has_the_fields_that_qupath_reads(tmp_path):
    write_geojson(tmp_path / "slide.geojson", OBJECTS, slide="s")
    collection = json.loads((tmp_path / "slide.geojson").read_text())
    assert collection["type"] == "FeatureCollection"
    first = collection["features"][0]
    assert uuid.UUID(first["id"]).version == 5
    assert first["properties"] == {
        "objectType": "annotation",
        "classification": {"name": "Tumor", "color": [200, 0, 0]},
        "isLocked": True,
        "measurements": {"Area": 1.5},
    }
    assert len(first["geometry"]["coordinates"]) == 2


def test_ids_differ_between_slides_classes_and_places(tmp_path):
    square, other = shapely.box(0, 0, 1, 1), shapely.box(0, 0, 1, 2)
    items = [SlideObject(square, "A", (1, 2, 3)), SlideObject(square, "B", (1, 2, 3))]
    items.append(SlideObject(other, "A", (1, 2, 3)))
    ids = []
    for slide in ("s", "t"):
        write_geojson(tmp_path / "o.geojson", items, slide=slide)
        ids += [item["id"] for item in json.loads((tmp_path / "o.geojson").read_text())["features"]]
    assert len(set(ids)) == 6


def test_coordinates_have_two_decimals_at_most(tmp_path):
    items = [SlideObject(Polygon([(0, 0), (100000.006, 0), (1 / 3, 2 / 3)]), "A", (1, 2, 3))]
    write_geojson(tmp_path / "o.geojson", items, slide="s")
    assert "[[[0,0],[100000.01,0],[0.33,0.67],[0,0]]]" in (tmp_path / "o.geojson").read_text()


def test_whole_coordinates_have_no_decimals_and_zero_no_sign(tmp_path):
    items = [SlideObject(Polygon([(-0.001, 10), (20, 100.5), (3000, 0)]), "A", (1, 2, 3))]
    write_geojson(tmp_path / "o.geojson", items, slide="s")
    text = (tmp_path / "o.geojson").read_text()
    assert '"coordinates":[[[0,10],[20,100.5],[3000,0],[0,10]]]' in text


@pytest.mark.parametrize("points", [4, 5, 9])
def test_an_outline_that_is_written_in_parts_has_the_same_text(tmp_path, monkeypatch, points):
    disk = shapely.Point(50, 50).buffer(40.5) - shapely.Point(50, 50).buffer(20)
    items = [SlideObject(disk, "A", (1, 2, 3))]
    items.append(SlideObject(shapely.union(disk, shapely.box(200, 0, 300, 7)), "B", (1, 2, 3)))
    write_geojson(tmp_path / "whole.geojson", items, slide="s")
    monkeypatch.setattr(geojson, "_POINTS", points)
    write_geojson(tmp_path / "parts.geojson", items, slide="s")
    assert (tmp_path / "parts.geojson").read_bytes() == (tmp_path / "whole.geojson").read_bytes()


def test_no_objects_make_an_empty_collection(tmp_path):
    assert write_geojson(tmp_path / "o.geojson.gz", [], slide="s") == 0
    content = json.loads(gzip.decompress((tmp_path / "o.geojson.gz").read_bytes()))
    assert content == {"type": "FeatureCollection", "features": []}


@pytest.mark.parametrize(
    "content",
    [
        {"type": "FeatureCollection", "features": [feature(polygon(HOLED))]},
        feature(polygon(HOLED)),
        [feature(polygon(HOLED))],
        polygon(HOLED),
        feature({"type": "MultiPolygon", "coordinates": [HOLED]}),
        feature(None, childObjects=[feature(polygon(HOLED))]),
    ],
    ids=["collection", "feature", "list", "geometry", "multipolygon", "child"],
)
def test_every_container_is_read(tmp_path, content):
    ((name, area),) = read_objects(write(tmp_path / "a.geojson", content)).polygons
    assert name == ""
    assert area.area == 15


@pytest.mark.parametrize(
    ("classification", "name"),
    [
        ("Tumor", "Tumor"),
        ({"name": "Tumor", "color": [200, 0, 0]}, "Tumor"),
        ({"names": ["Immune cells", "CD8"], "color": [1, 2, 3]}, "Immune cells: CD8"),
        (None, ""),
    ],
)
def test_a_class_may_be_text_or_an_object(tmp_path, classification, name):
    path = write(tmp_path / "a.geojson", feature(polygon(), classification=classification))
    assert read_objects(path).polygons[0][0] == name


def test_a_key_may_stand_twice(tmp_path):
    text = json.dumps(feature(polygon(), classification="Tumor"))
    text = text.replace('"properties": {', '"properties": {"metadata": {}, "metadata": {}, ')
    assert text.count("metadata") == 2
    assert read_objects(write(tmp_path / "a.geojson", text)).polygons[0][0] == "Tumor"


def test_points_and_lines_are_left_out(tmp_path):
    line = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
    point = {"type": "Point", "coordinates": [0, 0]}
    path = write(tmp_path / "a.geojson", [feature(line), feature(point), feature(polygon())])
    assert len(read_objects(path).polygons) == 1


def test_the_areas_of_a_collection_of_geometries_are_read(tmp_path):
    line = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
    inner = {
        "type": "GeometryCollection",
        "geometries": [polygon([[[9, 0], [11, 0], [11, 2], [9, 2], [9, 0]]])],
    }
    collection = {"type": "GeometryCollection", "geometries": [polygon(HOLED), line, inner]}
    for content in (collection, feature(collection)):
        ((_, area),) = read_objects(write(tmp_path / "a.geojson", content)).polygons
        assert area.area == 15 + 4


@pytest.mark.parametrize("kind", ["Circle", "CurvePolygon", "polygon", None, 3])
def test_a_geometry_of_an_unknown_type_is_named(tmp_path, kind):
    geometry = {"type": kind, "coordinates": [0, 0], "radius": 5}
    for odd in (geometry, {"type": "GeometryCollection", "geometries": [polygon(), geometry]}):
        path = write(tmp_path / "a.geojson", [feature(polygon()), feature(odd)])
        with pytest.raises(LabelsError, match=rf"object 2 .* geometry is of the type '{kind}'"):
            read_objects(path)


EMPTY = [
    polygon([]),
    polygon([[]]),
    polygon([[[10, 10]]]),
    polygon([[[0, 0], [1, 1]]]),
    polygon([[[10, 10], [12, 10], [10, 10]]]),
    {"type": "MultiPolygon", "coordinates": []},
    {"type": "GeometryCollection", "geometries": []},
]


def test_a_polygon_without_area_is_left_out_and_counted(tmp_path, caplog):
    path = write(tmp_path / "a.geojson", [feature(polygon(HOLED)), *map(feature, EMPTY)])
    found = read_objects(path)
    assert [area.area for _, area in found.polygons] == [15]
    assert found.empty == len(EMPTY)
    assert f"a.geojson: left out, because they have no area: {len(EMPTY)} of" in caplog.text


def test_a_hole_without_area_changes_nothing(tmp_path):
    shell = polygon([[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]])["coordinates"]
    for hole in ([], [[1, 1]], [[1, 1], [2, 1], [1, 1]]):
        path = write(tmp_path / "a.geojson", feature(polygon([*shell, hole])))
        ((_, area),) = read_objects(path).polygons
        assert area.area == 16


def test_an_outline_that_crosses_itself_is_repaired(tmp_path):
    bow = polygon([[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]])
    ((_, area),) = read_objects(write(tmp_path / "a.geojson", feature(bow))).polygons
    assert area.is_valid
    assert area.area == pytest.approx(2)


def test_an_ellipse_fills_its_box(tmp_path):
    path = write(tmp_path / "a.geojson", feature(polygon() | {"isEllipse": True}))
    ((_, area),) = read_objects(path).polygons
    assert area.bounds == pytest.approx((0, 0, 4, 4))
    assert area.area == pytest.approx(4 * 3.1416, rel=1e-3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(LabelsError, match=r"a.geojson does not exist; correct its path"):
        read_objects(tmp_path / "a.geojson")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe\xfd", gzip.compress(b"[]")[:-6], b"\x1f\x8b\x08\x00" + b"\x55" * 20],
    ids=["empty", "cut", "binary", "cut gzip", "spoilt gzip"],
)
def test_a_broken_file_is_refused_with_what_was_expected(tmp_path, content):
    path = tmp_path / "a.geojson"
    path.write_bytes(content)
    with pytest.raises(LabelsError, match=r"a.geojson cannot be read as JSON .* as QuPath exports"):
        read_objects(path)


@pytest.mark.parametrize("content", ["{}", "3", '{"type": "FeatureCollection"}', "[[7]]"])
def test_json_of_another_kind_is_refused(tmp_path, content):
    with pytest.raises(LabelsError, match=r"holds .*; expected GeoJSON"):
        read_objects(write(tmp_path / "a.geojson", content))


@pytest.mark.parametrize(
    "geometry",
    [
        polygon([[[0, 0], [1, "far"], [1, 1], [0, 0]]]),
        polygon([[[0, 0], [1, None], [1, 1], [0, 0]]]),
        polygon([[[[0, 0], [1, 0], [1, 1], [0, 0]]]]),
        {"type": "Polygon"},
        {"type": "GeometryCollection"},
        "Polygon",
    ],
)
def test_a_malformed_object_is_named_by_its_number(tmp_path, geometry):
    path = write(tmp_path / "a.geojson", [feature(polygon()), feature(geometry)])
    with pytest.raises(LabelsError, match=r"a.geojson: object 2 is not a GeoJSON feature"):
        read_objects(path)


@pytest.mark.parametrize("content", ["[]", '{"type": "Point", "coordinates": [0, 0]}'])
def test_a_file_without_areas_is_refused(tmp_path, content):
    with pytest.raises(LabelsError, match="holds no polygon; draw areas"):
        read_objects(write(tmp_path / "a.geojson", content))


def test_class_colours_are_packed_as_java_reads_them(tmp_path):
    write_classes(tmp_path / "classes.json", {"Tumor": (200, 0, 0), "White": (255, 255, 255)})
    assert json.loads((tmp_path / "classes.json").read_text()) == {
        "pathClasses": [{"name": "Tumor", "color": -3670016}, {"name": "White", "color": -1}]
    }
