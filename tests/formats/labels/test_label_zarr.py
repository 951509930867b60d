"""The label image as OME-Zarr follows both versions of NGFF and has the pixels of the TIFF."""

import numpy as np
import pytest
import zarr
from ome_zarr_models.v04.image_label import ImageLabel as ImageLabel04
from ome_zarr_models.v05.image_label import ImageLabel as ImageLabel05

from lds_path.classes import LabelClass
from lds_path.formats.labels.label_images import Labels, label_blocks, write_labels
from lds_path.formats.labels.label_zarr import write_label_zarr
from lds_path.formats.ome_xml import parse_ome_xml
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.pyramid_writer import write_pyramid
from lds_path.geometry import Frame, Size

CLASSES = [LabelClass(1, "Stroma", (86, 180, 233)), LabelClass(7, "Tumör", (213, 94, 0))]
MODELS = {"0.4": ImageLabel04, "0.5": ImageLabel05}
SIZE, MPP = Size(2500, 1301), 0.499


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    pixels = np.zeros((SIZE.height, SIZE.width), np.uint8)
    pixels[100:1200, 300:900], pixels[600:, 850:1400] = 1, 7
    blocks = (
        pixels[one.top :, one.left :][: one.size.height, : one.size.width]
        for one in label_blocks(SIZE)
    )
    path = folder / "s1.labels.ome.tif"
    write_labels(path, blocks, SIZE, mpp=MPP, classes=CLASSES)
    with Labels(path) as image:
        yield image


@pytest.fixture(scope="module", params=list(MODELS))
def store(request, labels, tmp_path_factory):
    root = tmp_path_factory.mktemp("store")
    path = root / "stitch" / "s1.labels.ome.zarr"
    pyramid = root / "tile" / "pyramid.ome.zarr"
    write_label_zarr(path, labels, pyramid=pyramid, version=request.param)
    return request.param, path


def test_it_follows_the_specification(store):
    version, path = store
    group = zarr.open_group(path, mode="r")
    assert group.metadata.zarr_format == (3 if version == "0.5" else 2)
    model = MODELS[version].from_zarr(group)
    attributes = model.ome_attributes if version == "0.5" else model.attributes
    label = attributes.image_label
    assert {each.label_value: each.rgba for each in label.colors} == {
        0: (0, 0, 0, 0),
        1: (86, 180, 233, 255),
        7: (213, 94, 0, 255),
    }
    assert label.source.image == "../../tile/pyramid.ome.zarr"


def test_its_classes_have_names(store):
    version, path = store
    attributes = dict(zarr.open_group(path, mode="r").attrs)
    label = attributes["ome"]["image-label"] if version == "0.5" else attributes["image-label"]
    names = {each["label-value"]: each["name"] for each in label["properties"]}
    assert names == {0: "not analysed", 1: "Stroma", 7: "Tumör"}


def test_version_0_4_has_the_ome_xml_that_qupath_reads_the_pixel_size_from(store):
    version, path = store
    document = path / "OME" / "METADATA.ome.xml"
    assert document.is_file() == (version == "0.4")
    if version == "0.4":
        mpp, classes = parse_ome_xml(document.read_text(encoding="utf-8"))
        assert mpp == MPP
        assert classes == CLASSES
        assert zarr.open_group(path / "OME", mode="r").metadata.zarr_format == 2


def test_every_level_has_the_pixels_of_the_label_image(store, labels):
    _, path = store
    group = zarr.open_group(path, mode="r")
    assert len(list(group.arrays())) == labels.level_count
    for level in range(labels.level_count):
        expected = labels.read(level, 0, 0, labels.level_size(level))
        np.testing.assert_array_equal(group[str(level)][:], expected)


def test_its_levels_are_those_of_the_pyramid(store, tmp_path):
    _, path = store
    frame = Frame(MPP, 1.0)
    write_pyramid(tmp_path / "pyramid.ome.zarr", lambda *_: None, SIZE, frame, background=243)
    pyramid = open_pyramid(tmp_path)
    group = zarr.open_group(path, mode="r")
    shapes = [group[str(level)].shape for level in range(pyramid.level_count)]
    assert shapes == [(size.height, size.width) for size in pyramid.sizes]


def test_chunks_where_nothing_was_analysed_are_not_written(store):
    version, path = store
    chunks = [one for one in (path / "0").rglob("*") if one.is_file() and "." not in one.name]
    assert len(chunks) == (1 if version == "0.5" else 8)
