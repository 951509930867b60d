from __future__ import annotations

import gzip
import json
import re
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import shapely
from PIL import Image
from shapely.geometry import shape
from stage_results import detect_results, stitch_results

from lds_path.classes import LabelClass
from lds_path.errors import StageInputError, UnsuitableSlideError, UsageError
from lds_path.formats.labels.label_images import label_blocks, write_labels
from lds_path.formats.regions import write_regions
from lds_path.geometry import Frame, Region, Size
from lds_path.objects.converted import geoparquet
from lds_path.objects.drawn_objects import read_objects
from lds_path.objects.polygons import GRID
from lds_path.objects.simplify import FINENESS
from lds_path.options.labels import ExportOptions
from lds_path.provenance.stage_run import run_stage
from lds_path.reference.drawing import rasterise
from lds_path.stages import export as export_module
from lds_path.stages.export import export

CLASSES = (
    LabelClass(1, "Stroma", (150, 200, 150)),
    LabelClass(2, "Tumor", (200, 0, 0)),
    LabelClass(3, "It's \\ a", (1, 2, 3)),
)
MPP, DOWNSAMPLE = 0.5, 2.0
LEFT_L0, TOP_L0 = 1000, 300
EXACT = ExportOptions(tolerance_um=0.0, min_object_um2=0.0, max_hole_um2=0.0)


def blobs(height=150, width=200):
    """Return labels with ragged pieces, holes and specks, and a margin that is not analysed."""
    rng = np.random.default_rng(3)
    labels = np.where(rng.random((height, width)) < 0.02, 2, 1).astype(np.uint8)
    rows, columns = np.indices(labels.shape)
    far = np.hypot(rows - 70, columns - 90) + rng.normal(0, 2, labels.shape)
    labels[far < 40] = 2
    labels[far < 12] = 1
    labels[:10] = labels[:, :5] = 0
    return labels


def write_stitch(folder, labels, *, confidence=None, step=16, classes=CLASSES):
    size = Size(labels.shape[1], labels.shape[0])

    def work(output, _):
        blocks = (
            labels[b.top : b.top + b.size.height, b.left : b.left + b.size.width]
            for b in label_blocks(size)
        )
        write_labels(output / "s1.labels.ome.tif", blocks, size, mpp=MPP, classes=classes)
        if confidence is not None:
            Image.fromarray(confidence).save(output / "confidence.png")
        return stitch_results(
            size,
            classes,
            mpp=MPP,
            downsample=DOWNSAMPLE,
            left_l0=LEFT_L0,
            top_l0=TOP_L0,
            confidence_downsample=step,
        )

    run_stage("stitch", folder, work, inputs={}, parameters={}, slide="s1")
    return folder


def read_content(script):
    """Return what a script was told, as Groovy reads a string between triple quotes."""
    text = script.read_text(encoding="utf-8").split("'''")[1]
    return json.loads(text.replace("\\'", "'").replace("\\\\", "\\"))


def read_features(folder):
    return json.loads(gzip.decompress((folder / "s1.geojson.gz").read_bytes()))["features"]


@pytest.fixture(scope="module")
def stitch(tmp_path_factory):
    return write_stitch(tmp_path_factory.mktemp("stitch") / "s1", blobs())


ODD_NAMES = (
    'Tumor, "invasive" (G3) <b>&amp;</b><script>alert(1)</script>',
    "Stroma 'x' \\ $HOME `z` '''",
    "Dr\u00fcse \U0001f52c \u817a %s {slide} {{1}}",
    "-rf",
)


def test_names_of_classes_may_be_any_text_wherever_they_are_written(tmp_path):
    classes = tuple(LabelClass(n, name, (n, 2, 3)) for n, name in enumerate(ODD_NAMES, start=1))
    labels = np.repeat(np.arange(5, dtype=np.uint8), 40)[:, None].repeat(90, axis=1)
    export(
        write_stitch(tmp_path / "stitch", labels, classes=classes), tmp_path / "s1", options=EXACT
    )
    found = [feature["properties"] for feature in read_features(tmp_path / "s1")]
    assert {item["classification"]["name"] for item in found} >= set(ODD_NAMES)
    shown = json.dumps(read_content(tmp_path / "s1/show_overlay.groovy"))
    assert all(json.dumps(name)[1:-1] in shown for name in ODD_NAMES)


def test_the_objects_are_the_labels_again(stitch, tmp_path):
    export(stitch, tmp_path / "s1", options=EXACT)
    values = {item.name: item.value for item in CLASSES}
    polygons = [
        (area, values[name]) for name, area in read_objects(tmp_path / "s1/s1.geojson.gz").polygons
    ]
    labels = rasterise(polygons, Size(200, 150), downsample=DOWNSAMPLE)
    np.testing.assert_array_equal(labels, blobs())


def test_objects_have_no_overlaps_and_no_gaps(stitch, tmp_path):
    export(
        stitch,
        tmp_path / "s1",
        options=ExportOptions(tolerance_um=3.0, min_object_um2=0, max_hole_um2=0),
    )
    areas = [shape(feature["geometry"]) for feature in read_features(tmp_path / "s1")]
    assert shapely.coverage_is_valid(areas)
    analysed = (blobs() > 0).sum() * DOWNSAMPLE**2
    assert sum(area.area for area in areas) == pytest.approx(analysed, rel=0.01)


def test_too_many_vertices_make_the_objects_coarser_and_the_manifest_says_so(
    stitch, tmp_path, monkeypatch, caplog
):
    before = export(stitch, tmp_path / "before", options=EXACT).results
    limit = sum(before["vertices"].values()) // 4
    monkeypatch.setattr(export_module, "MAX_VERTICES", limit)
    results = export(stitch, tmp_path / "s1", options=EXACT).results
    features = read_features(tmp_path / "s1")
    vertices = sum(int(shapely.get_num_coordinates(shape(f["geometry"]))) for f in features)
    assert 0 < vertices == sum(results["vertices"].values()) <= limit == results["max_vertices"]
    assert before["style"] == {
        "tolerance_um": 0, "min_object_um2": 0, "max_hole_um2": 0, "annotation_um2": 50_000,
        "fineness": FINENESS,
    }  # fmt: skip
    assert results["style"]["tolerance_um"] >= MPP
    assert f"over {limit} vertices" in caplog.text


def test_too_many_vertices_make_outlines_coarser_before_an_object_is_lost(tmp_path, monkeypatch):
    labels = np.zeros((400, 400), np.uint8)
    rows, columns = np.indices((17, 17)) - 8
    for top in range(2, 380, 20):
        for left in range(2, 380, 20):
            labels[top : top + 17, left : left + 17] = np.hypot(rows, columns) < 8
    stitch = write_stitch(tmp_path / "stitch", labels)
    options = ExportOptions(tolerance_um=1, min_object_um2=5, max_hole_um2=5)
    before = export(stitch, tmp_path / "before", options=options).results
    vertices = sum(before["vertices"].values())
    monkeypatch.setattr(export_module, "MAX_VERTICES", vertices - 1)
    after = export(stitch, tmp_path / "after", options=options).results
    assert sum(after["vertices"].values()) < vertices
    assert after["objects"] == before["objects"] == {"Stroma": 361, "Tumor": 0, CLASSES[2].name: 0}
    assert after["style"]["min_object_um2"] == 5
    assert after["dropped"]["Stroma"]["count"] == 0


def test_what_no_coarser_outline_saves_is_counted_as_left_out(tmp_path, monkeypatch):
    labels = np.zeros((100, 100), np.uint8)
    labels[1::4, 1::4] = 1
    labels[40:60, 40:60] = 2
    stitch = write_stitch(tmp_path / "stitch", labels)
    monkeypatch.setattr(export_module, "MAX_VERTICES", 50)
    results = export(stitch, tmp_path / "s1", options=EXACT).results
    assert results["objects"] == {"Stroma": 0, "Tumor": 1, CLASSES[2].name: 0}
    dropped = int((labels == 1).sum())
    assert results["dropped"]["Stroma"] == {"count": dropped, "area_um2": dropped * MPP**2}
    assert results["dropped"]["Tumor"] == {"count": 0, "area_um2": 0}


def test_every_polygon_is_valid_on_the_grid_of_qupath(stitch, tmp_path):
    for number, tolerance in enumerate((0.0, 0.4, 1.0, 3.0)):
        export(
            stitch,
            tmp_path / str(number),
            options=ExportOptions(tolerance_um=tolerance, min_object_um2=0),
        )
        for feature in read_features(tmp_path / str(number)):
            geometry = shape(feature["geometry"])
            assert geometry.is_valid
            assert shapely.set_precision(geometry, GRID, mode="pointwise").is_valid
            points = shapely.get_coordinates(geometry)
            np.testing.assert_array_equal(points, np.round(points, 2))


def test_the_counts_of_the_manifest_are_those_of_the_file(stitch, tmp_path):
    results = export(stitch, tmp_path / "s1", options=EXACT).results
    features = read_features(tmp_path / "s1")
    for item in CLASSES:
        mine = [f for f in features if f["properties"]["classification"]["name"] == item.name]
        assert results["objects"][item.name] == len(mine)
        vertices = sum(int(shapely.get_num_coordinates(shape(f["geometry"]))) for f in mine)
        assert results["vertices"][item.name] == vertices
        area = (blobs() == item.value).sum() * MPP**2 / 1e6
        assert results["area_mm2"][item.name] == pytest.approx(area, abs=1e-6)
    assert results["annotations"] + results["detections"] == len(features)
    assert results["bytes"] == (tmp_path / "s1" / "s1.geojson.gz").stat().st_size


def test_coordinates_start_at_the_bounds_corner_or_at_the_corner_of_the_file(stitch, tmp_path):
    export(stitch, tmp_path / "bounds")
    export(stitch, tmp_path / "level0", options=ExportOptions(frame="level0"))
    first, second = (
        shapely.union_all([shape(f["geometry"]) for f in read_features(tmp_path / name)])
        for name in ("bounds", "level0")
    )
    assert first.bounds == (10, 20, 400, 300)
    assert second.bounds == (10 + LEFT_L0, 20 + TOP_L0, 400 + LEFT_L0, 300 + TOP_L0)


def test_small_objects_are_dropped_and_small_holes_filled(tmp_path):
    labels = np.zeros((60, 60), np.uint8)
    labels[5:45, 5:45] = 2
    labels[10:12, 10:12] = 0  # 1 um2
    labels[20:30, 20:30] = 0  # 25 um2
    labels[50:54, 50:54] = 1  # 4 um2
    stitch = write_stitch(tmp_path / "stitch", labels)
    options = ExportOptions(tolerance_um=0, min_object_um2=5, max_hole_um2=5)
    results = export(stitch, tmp_path / "s1", options=options).results
    (feature,) = read_features(tmp_path / "s1")
    assert results["dropped"]["Stroma"] == {"count": 1, "area_um2": 4}
    assert results["filled"]["Tumor"] == {"count": 1, "area_um2": 1}
    assert results["filled"]["Stroma"] == results["dropped"]["Tumor"] == {"count": 0, "area_um2": 0}
    assert len(feature["geometry"]["coordinates"]) == 2
    assert feature["properties"]["measurements"]["Area um2"] == (1600 - 100 - 4) * MPP**2


def test_large_objects_are_annotations_and_small_ones_detections(tmp_path):
    labels = np.zeros((60, 60), np.uint8)
    labels[5:25, 5:25] = 1  # 100 um2
    labels[30:40, 30:40] = 2  # 25 um2
    stitch = write_stitch(tmp_path / "stitch", labels)
    export(stitch, tmp_path / "s1", options=ExportOptions(min_object_um2=1, annotation_um2=100))
    kinds = {
        f["properties"]["classification"]["name"]: f["properties"]["objectType"]
        for f in read_features(tmp_path / "s1")
    }
    assert kinds == {"Stroma": "annotation", "Tumor": "detection"}


def test_an_object_is_measured_in_microns(tmp_path):
    labels = np.zeros((64, 64), np.uint8)
    labels[16:48, 16:32] = 1
    confidence = np.zeros((4, 4), np.uint8)
    confidence[1:3, 1] = (255, 51)
    stitch = write_stitch(tmp_path / "stitch", labels, confidence=confidence)
    export(stitch, tmp_path / "s1", options=EXACT)
    (feature,) = read_features(tmp_path / "s1")
    assert feature["properties"]["measurements"] == {
        "Area um2": 32 * 16 * MPP**2,
        "Perimeter um": 2 * (32 + 16) * MPP,
        "Solidity": 1,
        "Mean confidence": 0.6,
    }


def test_solidity_is_the_share_of_the_convex_hull(tmp_path):
    labels = np.zeros((64, 64), np.uint8)
    labels[10:50, 10:20] = labels[40:50, 10:50] = 1  # an L
    export(write_stitch(tmp_path / "stitch", labels), tmp_path / "s1", options=EXACT)
    (feature,) = read_features(tmp_path / "s1")
    assert feature["properties"]["measurements"]["Solidity"] == round(700 / (700 + 450), 4)


def test_an_object_below_a_pixel_of_the_confidence_has_one_too(tmp_path):
    labels = np.zeros((64, 64), np.uint8)
    labels[62:, 62:] = 1
    confidence = np.full((4, 4), 204, np.uint8)
    stitch = write_stitch(tmp_path / "stitch", labels, confidence=confidence)
    export(stitch, tmp_path / "s1", options=EXACT)
    (feature,) = read_features(tmp_path / "s1")
    assert feature["properties"]["measurements"]["Mean confidence"] == 0.8


def test_the_same_labels_give_the_same_bytes_with_one_and_two_threads(stitch, tmp_path):
    for threads, name in enumerate(("a", "b"), start=1):
        export(stitch, tmp_path / name, threads=threads)
    for name in ("s1.geojson.gz", "classes.json", "show_overlay.groovy"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_slide_without_labels_has_no_objects(tmp_path):
    stitch = write_stitch(tmp_path / "stitch", np.zeros((40, 40), np.uint8))
    results = export(stitch, tmp_path / "s1").results
    assert read_features(tmp_path / "s1") == []
    assert results["objects"] == {item.name: 0 for item in CLASSES}


def test_the_classes_come_with_their_colours(stitch, tmp_path):
    export(stitch, tmp_path / "s1")
    listed = json.loads((tmp_path / "s1" / "classes.json").read_text())["pathClasses"]
    assert [item["name"] for item in listed] == [item.name for item in CLASSES]
    assert listed[1]["color"] == -3670016


@pytest.mark.parametrize("name", ["show_overlay.groovy", "import_objects.groovy"])
def test_the_scripts_know_the_slide_its_classes_and_its_scale(stitch, tmp_path, name):
    export(stitch, tmp_path / "s1")
    (slide,) = read_content(tmp_path / "s1" / name)["slides"]
    assert (slide["slide"], slide["labels"]) == ("s1", "s1.labels.ome.tif")
    assert (tmp_path / "s1" / slide["objects"]).is_file()
    assert (slide["frame"], slide["downsample"]) == ("bounds", DOWNSAMPLE)
    assert (slide["width_l0"], slide["height_l0"]) == (400, 300)
    assert slide["classes"] == [
        {"value": item.value, "name": item.name, "color": list(item.color)} for item in CLASSES
    ]


def test_memory_does_not_grow_with_the_number_of_objects(tmp_path):
    def peak(height):
        labels = np.zeros((height, 120), np.uint8)
        for row in range(4):
            labels[2 + row :: 8, 2::8] = labels[2 + row :: 8, 3::8] = 1 + row // 3
        stitch = write_stitch(tmp_path / f"stitch-{height}", labels)
        tracemalloc.start()
        results = export(stitch, tmp_path / f"s1-{height}", options=EXACT).results
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return sum(results["objects"].values()), found

    peak(512)  # what is loaded once
    (few, strip), (many, whole) = peak(2048), peak(4096)
    assert many == 2 * few > 5000
    assert whole < 1.2 * strip


def write_detect(folder, mask, regions):
    def work(output, _):
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(output / "tissue.png")
        write_regions(output / "regions.tsv", regions, [1.0] * len(regions), Frame(MPP, DOWNSAMPLE))
        return detect_results(10.0)

    run_stage("detect", folder, work, inputs={}, parameters={}, slide="s1")
    return folder


@pytest.mark.parametrize(("frame", "corner"), [("bounds", (0, 0)), ("level0", (LEFT_L0, TOP_L0))])
def test_tissue_and_regions_lie_in_the_frame_of_the_objects(stitch, tmp_path, frame, corner):
    mask = np.zeros((15, 20), bool)
    mask[2:12, 3:18] = True
    mask[5:8, 6:9] = False
    region = Region(0, 100, 50, Size(64, 32), Size(8, 8))
    detect = write_detect(tmp_path / "detect", mask, [region])
    results = export(
        stitch, tmp_path / "s1", detect=detect, options=ExportOptions(frame=frame)
    ).results
    assert (results["tissue"], results["regions"]) == (1, 1)
    ((_, tissue),) = read_objects(tmp_path / "s1" / "s1.tissue.geojson").polygons
    ((name, box),) = read_objects(tmp_path / "s1" / "s1.regions.geojson").polygons
    unit = 10 * DOWNSAMPLE
    assert tissue.area == mask.sum() * unit**2
    assert len(tissue.interiors) == 1
    left, top = corner
    assert tissue.bounds == (left + 3 * unit, top + 2 * unit, left + 18 * unit, top + 12 * unit)
    assert box.bounds == (left + 200, top + 100, left + 328, top + 164)
    assert name == "Region*"


def test_the_annotation_for_dsa_has_the_objects_of_the_geojson(stitch, tmp_path):
    export(stitch, tmp_path / "s1", options=replace(EXACT, dsa=True))
    elements = json.loads(gzip.decompress((tmp_path / "s1" / "s1.dsa.json.gz").read_bytes()))
    shapes = dict.fromkeys(("Stroma", "Tumor", "It's \\ a"), 0.0)
    for element in elements["elements"]:
        rings = [element["points"], *element.get("holes", [])]
        assert all(len(ring) >= 3 and ring[0] != ring[-1] for ring in rings)
        assert element["closed"]
        assert re.fullmatch(r"[0-9a-f]{24}", element["id"])
        shapes[element["group"]] += shapely.Polygon(rings[0], rings[1:]).area
    for item in CLASSES:
        assert shapes[item.name] == (blobs() == item.value).sum() * DOWNSAMPLE**2


@pytest.mark.parametrize(("frame", "confident"), [("bounds", True), ("level0", False)])
def test_the_geoparquet_is_the_geojson_for_geopandas(tmp_path, frame, confident):
    geopandas = pytest.importorskip("geopandas")
    parquet = pytest.importorskip("pyarrow.parquet")
    confidence = np.full((10, 13), 200, np.uint8) if confident else None
    stitch = write_stitch(tmp_path / "stitch", blobs(), confidence=confidence)
    export(stitch, tmp_path / "s1", options=replace(EXACT, frame=frame, parquet=True))
    table = geopandas.read_parquet(tmp_path / "s1/s1.parquet")
    features = read_features(tmp_path / "s1")
    assert len(table) == len(features) > 100
    assert table.crs is None
    for row, feature in zip(table.to_dict("records"), features, strict=True):
        properties = feature["properties"]
        assert row["geometry"].equals_exact(shape(feature["geometry"]))
        assert (row["id"], row["kind"]) == (feature["id"], properties["objectType"])
        assert row["class"] == properties["classification"]["name"]
        assert row["color"] == "#{:02x}{:02x}{:02x}".format(*properties["classification"]["color"])
        measured = {name: row[name] for name in properties["measurements"]}
        assert measured == properties["measurements"]
    assert table["Mean confidence"].notna().all() == confident
    about = json.loads(parquet.read_schema(tmp_path / "s1/s1.parquet").metadata[b"lds_path"])
    assert about == {
        "slide": "s1", "frame": frame, "unit": "level-0 pixel", "um_per_unit": MPP / DOWNSAMPLE
    }  # fmt: skip


def test_a_slide_without_objects_gives_an_empty_table(tmp_path):
    geopandas = pytest.importorskip("geopandas")
    pytest.importorskip("pyarrow")
    stitch = write_stitch(tmp_path / "stitch", np.zeros((40, 30), np.uint8))
    export(stitch, tmp_path / "s1", options=replace(EXACT, parquet=True))
    table = geopandas.read_parquet(tmp_path / "s1/s1.parquet")
    assert len(table) == 0
    assert {"geometry", "class", "color", "kind", "Area um2"} <= set(table.columns)


def test_geoparquet_without_pyarrow_ends_in_one_line_before_anything_is_traced(
    stitch, tmp_path, monkeypatch
):
    monkeypatch.setattr(geoparquet, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"needs the package pyarrow, .* pip install pyarrow"):
        export(stitch, tmp_path / "s1", options=replace(EXACT, parquet=True))
    assert not (tmp_path / "s1").exists()


def test_a_quarantined_slide_stays_so(tmp_path):
    def work(*_):
        raise UnsuitableSlideError("no tissue")

    run_stage("detect", tmp_path / "stitch", work, inputs={}, parameters={})
    manifest = export(tmp_path / "stitch", tmp_path / "s1")
    assert (manifest.reason, manifest.quarantined_by) == ("no tissue", "detect")
    assert not (tmp_path / "s1" / "s1.geojson.gz").exists()


def test_a_missing_label_image_is_named(tmp_path):
    stitch = write_stitch(tmp_path / "stitch", np.ones((40, 40), np.uint8))
    (stitch / "s1.labels.ome.tif").unlink()
    with pytest.raises(StageInputError, match=r"s1.labels.ome.tif"):
        export(stitch, tmp_path / "s1")


def test_a_damaged_confidence_image_is_named(tmp_path):
    stitch = write_stitch(tmp_path / "stitch", np.ones((40, 40), np.uint8))
    (stitch / "confidence.png").write_bytes(b"no image")
    with pytest.raises(StageInputError, match=r"confidence.png is damaged .*run stitch again"):
        export(stitch, tmp_path / "s1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tolerance_um": -1.0}, "tolerance_um is -1, expected 0 to 1000"),
        ({"min_object_um2": float("nan")}, "min_object_um2 is nan"),
        ({"frame": "slide"}, "frame 'slide' is unknown; there are bounds, level0"),
    ],
)
def test_impossible_options_are_refused(stitch, tmp_path, options, message):
    with pytest.raises(UsageError, match=message):
        export(stitch, tmp_path / "s1", options=ExportOptions(**options))
