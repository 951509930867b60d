from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from lds_path.errors import LabelsError
from lds_path.formats.reference import open_reference
from lds_path.geometry import Size

CLASSES = ("Stroma", "Tumor")
SLIDE = Size(96, 64)


def make_labels(width=96, height=64):
    return np.random.default_rng(0).integers(0, 3, (height, width)).astype(np.uint8)


def open_labels(path, **changes):
    known = {"classes": CLASSES, "slide": SLIDE, "bounds_l0": SLIDE, "downsample": 1.0}
    return open_reference(path, **known | changes)


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


def test_beyond_the_edges_nothing_is_labelled(tmp_path):
    write_tiled(tmp_path / "a.tif", np.ones((64, 96), np.uint8))
    reference = open_labels(tmp_path / "a.tif")
    found = reference.read(80, 50, Size(32, 32))
    assert found[:14, :16].all()
    assert not found[14:].any()
    assert not found[:, 16:].any()
    assert not reference.read(200, 0, Size(8, 8)).any()


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


def test_outside_the_region_of_interest_nothing_is_labelled(tmp_path):
    write_png(tmp_path / "a.png", np.ones((64, 96), np.uint8))
    roi = write_geojson(tmp_path / "roi.geojson", square(8, 8, 16, ""))
    labels = open_labels(tmp_path / "a.png", roi=roi).read(0, 0, SLIDE)
    assert labels[8:24, 8:24].all()
    assert labels.sum() == 16 * 16


def test_an_unknown_class_is_named(tmp_path):
    path = write_geojson(tmp_path / "a.geojson", square(0, 0, 8, "Necrosis"))
    with pytest.raises(LabelsError, match="class 'Necrosis', but the classes are Stroma, Tumor"):
        open_labels(path)


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
