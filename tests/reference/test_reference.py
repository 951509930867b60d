from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from lds_path.errors import LabelsError
from lds_path.formats.mask import Mask
from lds_path.geometry import Size
from lds_path.reference.legend import IGNORE, Legend
from lds_path.reference.reference import open_reference

CLASSES = ("Stroma", "Tumor")
SLIDE = Size(96, 64)


def make_labels(width=96, height=64):
    return np.random.default_rng(0).integers(0, 3, (height, width)).astype(np.uint8)


def open_labels(path, *, legend=None, **changes):
    known = {"slide": SLIDE, "bounds_l0": SLIDE, "downsample": 1.0}
    return open_reference(path, legend=legend or Legend(CLASSES), **known | changes)


def write_tiled(path, labels):
    tifffile.imwrite(path, labels, tile=(16, 16), compression="zlib")


def write_plain(path, labels):
    tifffile.imwrite(path, labels)


def write_png(path, labels):
    Image.fromarray(labels).save(path)


def square(left, top, side, name):
    corners = [[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]
    ring = [[left + x * side, top + y * side] for x, y in corners]
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"classification": {"name": name}},
    }


def write_geojson(path, *features):
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.mark.parametrize(
    ("name", "write"),
    [("a.tif", write_tiled), ("b.tif", write_plain), ("c.png", write_png)],
)
def test_a_window_of_a_label_image_is_its_pixels(tmp_path, name, write):
    labels = make_labels()
    write(tmp_path / name, labels)
    found = open_labels(tmp_path / name).read(10, 20, Size(40, 30))
    np.testing.assert_array_equal(found, labels[20:50, 10:50])


@pytest.mark.parametrize("name", ["a.tif", "a.geojson"])
@pytest.mark.parametrize("step", [1, 4])
def test_beyond_the_edges_nothing_is_known(tmp_path, name, step):
    if name == "a.tif":
        write_tiled(tmp_path / name, np.ones((64, 96), np.uint8))
    else:
        write_geojson(tmp_path / name, square(-8, -8, 120, "Stroma"))
    reference = open_labels(tmp_path / name)
    found = reference.read(80, 48, Size(32, 32), step=step)
    assert (found[: 16 // step, : 16 // step] == 1).all()
    assert (found[16 // step :] == IGNORE).all()
    assert (found[:, 16 // step :] == IGNORE).all()
    assert (reference.read(200, 0, Size(8, 8), step=step) == IGNORE).all()


def test_a_smaller_label_image_is_enlarged_by_the_nearest_pixel(tmp_path):
    labels = make_labels(24, 16)
    write_png(tmp_path / "a.png", labels)
    found = open_labels(tmp_path / "a.png").read(0, 0, SLIDE)
    np.testing.assert_array_equal(found, labels.repeat(4, 0).repeat(4, 1))


def test_labels_of_a_finer_level_0_are_read_at_working_pixels(tmp_path):
    labels = make_labels(24, 16).repeat(8, 0).repeat(8, 1)
    write_tiled(tmp_path / "a.tif", labels)
    reference = open_labels(tmp_path / "a.tif", bounds_l0=Size(192, 128), downsample=2.0)
    np.testing.assert_array_equal(reference.read(8, 4, Size(40, 32)), labels[8:72:2, 16:96:2])


def test_steps_read_the_middle_of_each_step(tmp_path):
    labels = make_labels()
    write_tiled(tmp_path / "a.tif", labels)
    found = open_labels(tmp_path / "a.tif").read(8, 8, Size(32, 16), step=4)
    np.testing.assert_array_equal(found, labels[10:26:4, 10:42:4])


def test_polygons_are_filled_in_the_slides_frame(tmp_path):
    path = write_geojson(tmp_path / "a.geojson", square(40, 20, 40, "Tumor"))
    reference = open_labels(path, bounds_l0=Size(192, 128), downsample=2.0)
    expected = np.zeros((64, 96), np.uint8)
    expected[10:30, 20:40] = 2
    np.testing.assert_array_equal(reference.read(0, 0, SLIDE), expected)
    np.testing.assert_array_equal(reference.read(16, 8, Size(16, 32)), expected[8:40, 16:32])
    np.testing.assert_array_equal(reference.read(0, 0, SLIDE, step=4), expected[2::4, 2::4])
    assert not reference.read(60, 40, Size(8, 8)).any()


@pytest.mark.parametrize("turn", [1, -1])
def test_the_smaller_of_two_polygons_counts(tmp_path, turn):
    features = [square(8, 8, 40, "Stroma"), square(16, 16, 8, "Tumor")][::turn]
    labels = open_labels(write_geojson(tmp_path / "a.json", *features)).read(0, 0, SLIDE)
    assert labels[20, 20] == 2
    assert labels[30, 30] == 1


def test_outside_the_annotated_area_nothing_is_known(tmp_path):
    write_png(tmp_path / "a.png", np.ones((64, 96), np.uint8))
    roi = write_geojson(tmp_path / "roi.geojson", square(8, 8, 16, ""))
    labels = open_labels(tmp_path / "a.png", roi=roi).read(0, 0, SLIDE)
    assert (labels[8:24, 8:24] == 1).all()
    assert (labels == IGNORE).sum() == 64 * 96 - 16 * 16


@pytest.mark.parametrize(
    ("unlabelled", "value"), [("background", 0), ("ignore", IGNORE), ("Stroma", 1)]
)
@pytest.mark.parametrize("drawn", [True, False])
def test_what_is_not_labelled_means_what_the_legend_says(tmp_path, unlabelled, value, drawn):
    if drawn:
        path = write_geojson(tmp_path / "a.geojson", square(16, 16, 8, "Tumor"))
    else:
        path = tmp_path / "a.png"
        labels = np.zeros((64, 96), np.uint8)
        labels[16:24, 16:24] = 2
        write_png(path, labels)
    roi = write_geojson(tmp_path / "roi.geojson", square(8, 8, 32, ""))
    legend = Legend(CLASSES, unlabelled=unlabelled)
    found = open_labels(path, legend=legend, roi=roi).read(0, 0, SLIDE)
    expected = np.full((64, 96), IGNORE)
    expected[8:40, 8:40] = value
    expected[16:24, 16:24] = 2
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("step", [1, 4])
def test_glass_is_of_no_class(tmp_path, step):
    path = write_geojson(tmp_path / "a.geojson", square(32, 16, 32, "Tumor"))
    left_half = Mask(np.repeat([[True] * 6 + [False] * 6], 8, axis=0), 8.0)
    roi = write_geojson(tmp_path / "roi.geojson", square(16, 0, 60, ""))
    options = {"legend": Legend(CLASSES, unlabelled="Stroma"), "tissue": left_half}
    found = open_labels(path, roi=roi, **options).read(0, 0, SLIDE, step=step)
    expected = np.full((64, 96), IGNORE)
    expected[:60, 16:76] = 0
    expected[:60, 16:48] = 1
    expected[16:48, 32:64] = 2
    half = step // 2
    np.testing.assert_array_equal(found, expected[half::step, half::step])


def test_annotation_classes_become_those_of_the_model(tmp_path):
    features = [
        square(0, 0, 8, "Krebs"),
        square(8, 0, 8, "Tumor: invasive"),
        square(16, 0, 8, "Artefact"),
        square(24, 0, 8, "Region*"),
        square(32, 0, 8, ""),
        square(40, 0, 8, "Tumor"),
    ]
    class_map = {"Krebs": "Tumor", "Tumor: invasive": "Tumor", "Region*": "", "": "Stroma"}
    legend = Legend(CLASSES, class_map, ignore=("Artefact",))
    path = write_geojson(tmp_path / "a.geojson", *features)
    found = open_labels(path, legend=legend).read(0, 0, Size(56, 8))
    assert found[0, 4::8].tolist() == [2, 2, IGNORE, 0, 1, 2, 0]


def test_label_values_become_those_of_the_model(tmp_path):
    labels = np.zeros((64, 96), np.uint8)
    labels[0, :5] = [9, 8, 7, 2, 255]
    write_png(tmp_path / "a.png", labels)
    legend = Legend(CLASSES, {"9": "Tumor", "7": ""}, ignore=("8",), unlabelled="Stroma")
    found = open_labels(tmp_path / "a.png", legend=legend).read(0, 0, Size(6, 1))
    assert found.tolist() == [[2, IGNORE, 1, 2, IGNORE, 1]]


def test_holes_and_parts_of_objects_are_kept(tmp_path):
    corners = ((8, 8, 32), (12, 12, 8), (60, 40, 8))
    outer, hole, far = (square(*one, "")["geometry"]["coordinates"][0] for one in corners)
    feature = square(0, 0, 1, "Tumor")
    feature["geometry"] = {"type": "MultiPolygon", "coordinates": [[outer, hole], [far]]}
    path = tmp_path / "a.geojson.gz"
    path.write_bytes(gzip.compress(json.dumps([feature]).encode()))
    expected = np.zeros((64, 96), np.uint8)
    expected[8:40, 8:40] = 2
    expected[12:20, 12:20] = 0
    expected[40:48, 60:68] = 2
    np.testing.assert_array_equal(open_labels(path).read(0, 0, SLIDE), expected)


def test_an_outline_that_crosses_itself_is_repaired(tmp_path):
    feature = square(0, 0, 1, "Tumor")
    bow = [[8, 8], [24, 24], [24, 8], [8, 24], [8, 8]]
    feature["geometry"]["coordinates"] = [bow]
    found = open_labels(write_geojson(tmp_path / "a.json", feature)).read(0, 0, SLIDE)
    assert found[16, 9] == found[16, 22] == 2
    assert found[9, 16] == found[22, 16] == 0


def test_objects_without_area_are_left_out_and_counted(tmp_path):
    good, empty = square(0, 0, 8, "Tumor"), square(0, 0, 8, "Tumor")
    empty["geometry"]["coordinates"] = []
    path = write_geojson(tmp_path / "a.geojson", good, empty)
    labels = open_labels(path, roi=path)
    assert labels.empty_objects == 2
    assert (labels.read(0, 0, Size(8, 8)) == 2).all()


@pytest.mark.parametrize("ring", [[[1, 1], [5, 1], [5, "x"], [1, 1]], [[1], [5], [5], [1]]])
def test_an_invalid_ring_is_named(tmp_path, ring):
    good, bad = square(0, 0, 8, "Tumor"), square(0, 0, 8, "Tumor")
    bad["geometry"]["coordinates"] = [ring]
    path = write_geojson(tmp_path / "a.geojson", good, bad)
    with pytest.raises(LabelsError, match=r"a\.geojson: object 2 is not a GeoJSON feature"):
        open_labels(path)


@pytest.mark.parametrize("as_roi", [True, False])
def test_objects_outside_the_slide_are_named(tmp_path, as_roi):
    good = write_geojson(tmp_path / "good.geojson", square(0, 0, 8, "Tumor"))
    features = [square(90, 60, 20, "Tumor"), square(97, 3, 8, "Tumor")]
    bad = write_geojson(tmp_path / "bad.geojson", *features)
    with pytest.raises(LabelsError, match=r"bad.* 1 of 2 objects outside .* \(97, 3\) of 96 x 64"):
        open_labels(good, roi=bad) if as_roi else open_labels(bad)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Necrosis", "class 'Necrosis', but the classes are Stroma, Tumor; .* in `class_map`"),
        ("", "an object without a class"),
    ],
)
def test_an_unknown_class_is_named(tmp_path, name, message):
    path = write_geojson(tmp_path / "a.geojson", square(0, 0, 8, name))
    with pytest.raises(LabelsError, match=message):
        open_labels(path)


def test_a_value_without_a_class_is_named(tmp_path):
    write_png(tmp_path / "a.png", np.full((64, 96), 3, np.uint8))
    with pytest.raises(LabelsError, match=r"a\.png has the label value 3, .* 1 Stroma, 2 Tumor"):
        open_labels(tmp_path / "a.png").read(0, 0, SLIDE)


@pytest.mark.parametrize("name", ["a.tif", "a.png"])
@pytest.mark.parametrize("content", [None, b"", b"hello"])
def test_a_file_that_cannot_be_read_is_named(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(LabelsError, match=f"{name} cannot be read"):
        open_labels(tmp_path / name)


@pytest.mark.parametrize("shape", [(50, 96), (64, 95), (63, 80), (128, 192)])
def test_labels_of_another_size_are_named(tmp_path, shape):
    write_png(tmp_path / "a.png", np.zeros(shape, np.uint8))
    with pytest.raises(LabelsError, match=r"but the slide's level 0 is 96 x 64"):
        open_labels(tmp_path / "a.png")


def test_a_colour_picture_is_no_label_image(tmp_path):
    write_png(tmp_path / "a.png", np.zeros((64, 96, 3), np.uint8))
    with pytest.raises(LabelsError, match="one 8-bit channel"):
        open_labels(tmp_path / "a.png")
