"""The images that stitch offers to QuPath lie, by Bio-Formats, where the exported objects lie."""

import gzip
import json
from itertools import pairwise

import numpy as np
import pytest
from bioformats import ask_bioformats
from shapely.geometry import shape
from stage_folders import CLASSES, MPP, make_folders

from lds_path.options.labels import ExportOptions
from lds_path.stages.export import export

WIDTH, HEIGHT = 1301, 901
LEFT, TOP = 121, 50
MAP_MPP = 8.0


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    """Objects in both frames, and what Bio-Formats says of labels, confidence and density."""
    root = tmp_path_factory.mktemp("results")
    rgb = np.full((HEIGHT, WIDTH, 3), 150, np.uint8)
    labels = np.ones((HEIGHT, WIDTH), np.uint8)
    labels[200:600, 300:1000] = 2
    labels[300:450, 500:700] = 1  # a hole
    corner = {"left_l0": LEFT, "top_l0": TOP}
    folders = make_folders(root, "s1", rgb, np.ones((57, 82), bool), labels, tile=corner, maps=True)
    objects = {}
    for frame in ("bounds", "level0"):
        export(folders.stitch, root / frame, options=ExportOptions(frame=frame))
        path = next((root / frame).glob("*.geojson.gz"))
        objects[frame] = json.loads(gzip.decompress(path.read_bytes()))["features"]
    names = ("labels", "confidence", "density")
    files = {folders.stitch / f"s1.{name}.ome.tif": [] for name in names}
    files[folders.stitch / "s1.labels.ome.tif"] = [(0, 0, 0, WIDTH, HEIGHT)]
    said = ask_bioformats(tmp_path_factory.mktemp("bioformats"), files)
    return objects, dict(zip(names, said, strict=True))


def test_each_image_is_ome_tiff_and_covers_the_bounds(slide):
    _, said = slide
    for name, mpp in {"labels": MPP, "confidence": MAP_MPP, "density": MAP_MPP}.items():
        assert said[name]["format"] == "OME-TIFF"
        (image,) = said[name]["images"]
        assert image["mpp"] == [mpp, mpp]
        assert image["sizes"][0] == [-(-WIDTH * MPP // mpp), -(-HEIGHT * MPP // mpp)]
        for (width, height), coarser in pairwise(image["sizes"]):
            assert coarser == [-(-width // 2), -(-height // 2)]


def test_objects_of_the_bounds_frame_lie_on_the_labels_of_their_class(slide):
    objects, said = slide
    (labels,) = said["labels"]["windows"]
    values = {item.name: item.value for item in CLASSES}
    covered = np.zeros_like(labels)
    for item in objects["bounds"]:
        outline = shape(item["geometry"])
        value = values[item["properties"]["classification"]["name"]]
        x, y = outline.representative_point().coords[0]
        assert labels[int(y), int(x)] == value
        inner = outline.buffer(-12)  # beyond what simplification and a lattice's pitch may shift
        for x, y in inner.segmentize(20).exterior.coords:
            assert labels[int(y), int(x)] == value
        covered[int(y), int(x)] = value
    assert set(np.unique(covered)) == {0, 1, 2}


def test_objects_of_the_level_0_frame_are_moved_by_the_corner(slide):
    objects, _ = slide
    for bounds, level0 in zip(objects["bounds"], objects["level0"], strict=True):
        near, far = (shape(item["geometry"]).bounds for item in (bounds, level0))
        np.testing.assert_allclose(np.subtract(far, near), [LEFT, TOP, LEFT, TOP])
