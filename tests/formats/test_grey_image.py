import numpy as np
import openslide
import pytest
import tifffile
from PIL import Image
from stage_results import stitch_results

from lds_path.classes import LabelClass
from lds_path.formats.grey_image import (
    CONFIDENCE_NAME,
    halve_known,
    open_confidence,
    write_grey,
)
from lds_path.geometry import Size
from lds_path.provenance.manifest import Manifest
from lds_path.provenance.stage_folder import StageFolder
from lds_path.provenance.typed_json import to_json


def test_every_level_is_the_mean_of_what_is_known(tmp_path):
    pixels = np.random.default_rng(2).integers(0, 256, (700, 1111)).astype(np.uint8)
    write_grey(
        tmp_path / "s1.confidence.ome.tif",
        pixels,
        mpp=8.0,
        channel="confidence",
        meaning="255 is 1",
    )
    with tifffile.TiffFile(tmp_path / "s1.confidence.ome.tif") as file:
        assert file.is_ome
        assert 'PhysicalSizeX="8.0"' in file.pages.first.description
        assert "<Description>255 is 1</Description>" in file.pages.first.description
        first, second, third = (level.asarray() for level in file.series[0].levels)
    np.testing.assert_array_equal(first, pixels)
    np.testing.assert_array_equal(second, halve_known(pixels))
    np.testing.assert_array_equal(third, halve_known(halve_known(pixels)))
    with openslide.OpenSlide(tmp_path / "s1.confidence.ome.tif") as slide:
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(8)


def test_what_is_not_known_does_not_count():
    pixels = np.array([[0, 200, 0], [0, 100, 0], [7, 0, 9]], np.uint8)
    np.testing.assert_array_equal(halve_known(pixels), [[150, 0], [7, 9]])


def test_the_same_pixels_give_the_same_bytes(tmp_path):
    pixels = np.arange(600 * 600, dtype=np.uint32).reshape(600, 600).astype(np.uint8)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_grey(
            tmp_path / name / "s1.ome.tif",
            pixels,
            mpp=1.0,
            channel="confidence",
            meaning="255 is 1",
        )
    first, second = ((tmp_path / name / "s1.ome.tif").read_bytes() for name in "ab")
    assert first == second


def test_the_confidence_is_read_as_it_was_written(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (1030, 7), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / CONFIDENCE_NAME)
    results = stitch_results(Size(70, 10300), (LabelClass(1, "a", (1, 2, 3)),))
    manifest = Manifest("stitch", "s1", "done", results=to_json(results))
    found = open_confidence(StageFolder(tmp_path, manifest))
    np.testing.assert_array_equal(found.pixels, pixels)
