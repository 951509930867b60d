"""What is written lies on the slide where it was seen, from the file to the objects."""

import gzip
import json
from dataclasses import replace

import numpy as np
import openslide
import pytest
import shapely
from leica import write_scn
from scipy import ndimage
from shapely.geometry import shape
from stage_results import segment_results

from lds_path.classes import LabelClass
from lds_path.formats.labels.label_images import Labels
from lds_path.formats.predictions import (
    Prediction,
    PredictionWriter,
    encode_grid,
    encode_probability,
)
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.regions import read_regions
from lds_path.geometry import Size
from lds_path.objects.polygons import GRID
from lds_path.options.labels import ExportOptions
from lds_path.options.slides import DetectOptions, TileOptions
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.stage_run import run_stage
from lds_path.reference.drawing import rasterise
from lds_path.stages.detect import detect
from lds_path.stages.export import export
from lds_path.stages.stitch import stitch
from lds_path.stages.tile import tile

CLASSES = [
    {"value": 1, "name": "Bright", "color": [0, 158, 115]},
    {"value": 2, "name": "Dark", "color": [213, 94, 0]},
]
SIDE, OVERLAP = 512, 64
LEFT, TOP = 1613, 811  # odd: the bounds begin between the pixels of every coarser level
DARK = (400, 300, 1200, 900)  # left, top, right, bottom in pixels of the scanned part
LIMIT = 140
EXACT = ExportOptions(tolerance_um=0.0, min_object_um2=0.0, max_hole_um2=0.0)


def run(slide, root, *, limit, slide_mpp=None):
    """Run the stages with a network that calls dark what is darker than the limit."""
    tile(slide, root / "tile" / "s1", options=TileOptions(slide_mpp=slide_mpp))
    detect(
        root / "tile" / "s1",
        root / "detect" / "s1",
        options=DetectOptions(
            region_size=SIDE, overlap=OVERLAP, lattice=SIDE, min_tissue_um2=100.0
        ),
    )
    pyramid = open_pyramid(root / "tile" / "s1")
    centres = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    grid = encode_grid(np.stack(np.meshgrid(centres, centres), axis=-1))

    def segment(folder, _):
        with PredictionWriter(folder / "predictions.npz") as writer:
            for region in read_regions(root / "detect" / "s1" / "regions.tsv"):
                rgb = pyramid.read(0, region.left, region.top, region.size)
                dark = (darkness(rgb, 2) > limit).astype(float)
                probability = encode_probability(np.stack([1 - dark, dark]))
                writer.write(Prediction(region, probability, grid, np.ones((4, 4), np.float16)))
        return segment_results(map(LabelClass.from_json, CLASSES))

    inputs = {"tile": root / "tile" / "s1", "detect": root / "detect" / "s1"}
    run_stage("segment", root / "segment" / "s1", segment, inputs=inputs, parameters={})
    stitch(*inputs.values(), [root / "segment" / "s1"], root / "stitch" / "s1")
    for frame in ("bounds", "level0"):
        export(root / "stitch" / "s1", root / frame / "s1", options=replace(EXACT, frame=frame))
    return root


def darkness(rgb, sigma):
    return ndimage.gaussian_filter(255 - rgb[..., 1].astype(float), sigma)


def dark_objects(root, frame):
    text = gzip.decompress((root / frame / "s1" / "s1.geojson.gz").read_bytes())
    features = json.loads(text)["features"]
    dark = [f for f in features if f["properties"]["classification"]["name"] == "Dark"]
    return shapely.union_all([shape(feature["geometry"]) for feature in dark])


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    """A slide with bounds, in the file format of a scanner, with a dark rectangle on tissue."""
    folder = tmp_path_factory.mktemp("scanned")
    pixels = np.full((1280, 1600, 3), 243, np.uint8)
    pixels[100:1180, 150:1450] = (214, 160, 196)
    left, top, right, bottom = DARK
    pixels[top:bottom, left:right] = (120, 60, 130)
    write_scn(folder / "s1.scn", pixels, left=LEFT, top=TOP, glass=Size(4096, 3200), mpp=0.25)
    return folder / "s1.scn", run(folder / "s1.scn", folder, limit=139)


@pytest.mark.parametrize(("frame", "corner"), [("bounds", (0, 0)), ("level0", (LEFT, TOP))])
def test_objects_lie_where_the_tissue_is_in_both_frames_of_a_slide_with_bounds(
    scanned, frame, corner
):
    path, root = scanned
    found = dark_objects(root, frame).bounds
    expected = np.array(DARK) + np.array(corner * 2)
    assert found == pytest.approx(expected, abs=2)  # a working pixel
    if frame == "level0":  # and there the file itself is dark
        with openslide.OpenSlide(path) as slide:
            left, top, right, bottom = (round(bound) for bound in found)
            size = (right - left, bottom - top)
            pixels = np.asarray(slide.read_region((left, top), 0, size))[..., 1]
            assert np.mean(pixels < 110) > 0.99


def test_the_label_image_begins_at_the_bounds(scanned):
    _, root = scanned
    with Labels(root / "stitch" / "s1" / "s1.labels.ome.tif") as labels:
        assert labels.size == Size(800, 640)
        rows, columns = np.nonzero(labels.read(0, 0, 0, labels.size) == 2)
    found = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    assert found == pytest.approx(np.array(DARK) / 2, abs=1)


@pytest.fixture(scope="module")
def tcga(data, tmp_path_factory):
    path = data / "slides" / "tcga-cr-7395-01a-01-ts1.svs"
    return path, run(path, tmp_path_factory.mktemp("tcga"), limit=LIMIT, slide_mpp=0.25)


def test_objects_keep_their_place_where_levels_are_not_a_whole_factor_apart(tcga):
    path, root = tcga
    dark = dark_objects(root, "level0")
    with openslide.OpenSlide(path) as slide:
        factor = slide.level_downsamples[1]
        assert abs(factor - 2) > 1e-4
        width, height = slide.dimensions
        for left, top in ((0, 0), (width - 1000, 0), (0, height - 1000), (width - 1000, 1500)):
            rgb = np.asarray(slide.read_region((left, top), 0, (1000, 1000)))[..., :3]
            drawn = rasterise([(dark, 1)], Size(1000, 1000), corner=(left, top)) > 0
            seen = darkness(rgb, 2 * factor) > LIMIT
            assert 0.02 < seen.mean() < 0.98
            assert shift_of(drawn, seen) == pytest.approx((0, 0), abs=1)


@pytest.mark.parametrize(("tolerance_um", "error"), [(0.0, 0.0), (1.0, 0.01)])
def test_objects_of_real_tissue_are_valid_and_have_the_area_of_their_labels(
    tcga, tmp_path, tolerance_um, error
):
    _, root = tcga  # thresholded pixels, more ragged than what a network finds
    export(
        root / "stitch" / "s1", tmp_path / "s1", options=replace(EXACT, tolerance_um=tolerance_um)
    )
    features = json.loads(gzip.decompress((tmp_path / "s1" / "s1.geojson.gz").read_bytes()))
    areas = dict.fromkeys(("Bright", "Dark"), 0.0)
    for feature in features["features"]:
        geometry = shape(feature["geometry"])
        assert shapely.set_precision(geometry, GRID, mode="pointwise").is_valid
        areas[feature["properties"]["classification"]["name"]] += geometry.area
    results = read_manifest(root / "stitch" / "s1").results
    for name, pixels in results["pixels"].items():
        assert areas[name] == pytest.approx(pixels * results["downsample"] ** 2, rel=error or 1e-12)
    holes = sum(len(feature["geometry"]["coordinates"]) > 1 for feature in features["features"])
    assert holes > 5


def shift_of(drawn, seen):
    """Return (dy, dx): how far an area must be moved to lie best on another."""
    best = {}
    inner = seen[20:-20, 20:-20]
    for dy in range(-6, 7):
        for dx in range(-6, 7):
            moved = drawn[20 - dy : drawn.shape[0] - 20 - dy, 20 - dx : drawn.shape[1] - 20 - dx]
            best[dy, dx] = np.count_nonzero(moved == inner) / inner.size
    assert max(best.values()) > 0.95
    return max(best, key=best.get)
