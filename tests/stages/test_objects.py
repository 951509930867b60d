"""The objects of real and of painted tissue are valid, have its area and keep its holes."""

import gzip
import json

import numpy as np
import openslide
import pytest
from objects_check import check_objects
from scipy import ndimage
from shapely.geometry import shape
from stage_results import stitch_results

from lds_path.classes import LabelClass
from lds_path.formats.labels.label_images import label_blocks, write_labels
from lds_path.geometry import Size
from lds_path.options.labels import ExportOptions
from lds_path.pixels.synthetic import paint_slide
from lds_path.provenance.stage_run import run_stage
from lds_path.reference.drawing import rasterise
from lds_path.stages.export import export

CLASSES = [
    LabelClass(value, name, (40 * value, 90, 200 - 40 * value))
    for value, name in enumerate(("Stroma", "Gland", "Tumor", "Lymphocytes"), start=1)
]
MPP = 0.5
SLIDES = ("CMU-1-Small-Region.svs", "tcga-cr-7395-01a-01-ts1.svs", "painted")
EXACT = ExportOptions(tolerance_um=0.0, min_object_um2=0.0, max_hole_um2=0.0)


def label_slide(path):
    """Return labels of a real slide by how dark it is at about 0.5 um, and their downsample."""
    with openslide.OpenSlide(path) as slide:
        level = slide.level_count - 1
        rgb = np.asarray(slide.read_region((0, 0), level, slide.level_dimensions[level]))
        green = ndimage.gaussian_filter(rgb[..., 1].astype(float), 2)
        return np.digitize(green, [230, 175, 130]), slide.level_downsamples[level]


@pytest.fixture(scope="module", params=SLIDES)
def stitch(request, tmp_path_factory):
    """The folder of stitch for the labels of a slide."""
    if request.param == "painted":
        labels, downsample = paint_slide(3, Size(1600, 1400)).labels, 1.0
    else:
        path = request.getfixturevalue("data") / "slides" / request.param
        labels, downsample = label_slide(path)
    labels = labels.astype(np.uint8)
    size = Size(labels.shape[1], labels.shape[0])

    def work(folder, _):
        blocks = (
            labels[b.top : b.top + b.size.height, b.left : b.left + b.size.width]
            for b in label_blocks(size)
        )
        write_labels(folder / "s1.labels.ome.tif", blocks, size, mpp=MPP, classes=CLASSES)
        return stitch_results(size, CLASSES, mpp=MPP, downsample=downsample)

    folder = tmp_path_factory.mktemp("stitch") / "s1"
    run_stage("stitch", folder, work, inputs={}, parameters={}, slide="s1")
    return folder, labels, downsample


def test_without_simplification_the_objects_are_the_labels(stitch, tmp_path):
    folder, labels, downsample = stitch
    export(folder, tmp_path / "s1", options=EXACT)
    found = check_objects(tmp_path / "s1", folder)
    assert max(found.errors.values()) < 1e-9
    assert found.objects >= 5
    assert found.holes > 0
    features = json.loads(gzip.decompress((tmp_path / "s1" / "s1.geojson.gz").read_bytes()))
    values = {item.name: item.value for item in CLASSES}
    polygons = [
        (shape(f["geometry"]), values[f["properties"]["classification"]["name"]])
        for f in features["features"]
    ]
    size = Size(labels.shape[1], labels.shape[0])
    drawn = rasterise(polygons, size, downsample=downsample)
    np.testing.assert_array_equal(drawn, labels)


def test_simplified_objects_keep_their_holes_and_99_percent_of_their_area(stitch, tmp_path):
    folder, _, _ = stitch
    exact = export(folder, tmp_path / "exact", options=ExportOptions(tolerance_um=0.0)).results
    simple = export(folder, tmp_path / "simple").results
    before, after = (check_objects(tmp_path / name, folder) for name in ("exact", "simple"))
    assert max(before.errors.values()) < 1e-9
    assert max(after.errors.values()) < 0.01
    assert (after.objects, after.holes) == (before.objects, before.holes)
    assert after.vertices < before.vertices / 2
    assert simple["bytes"] < exact["bytes"]
