"""An OME-Zarr becomes a pyramid like any other slide, and is read where levels are not stored."""

import numpy as np
import pytest
from ngff import pyramid, random_pixels, write_image

from lds_path.errors import StageInputError
from lds_path.formats.pyramid import open_pyramid
from lds_path.geometry import Size
from lds_path.options.slides import TileOptions
from lds_path.provenance.fingerprint import sha256
from lds_path.provenance.verification import verify
from lds_path.stages import tile as stage
from lds_path.stages.tile import tile

PIXELS = random_pixels(1100, 1400)


@pytest.fixture
def slide(tmp_path):
    return write_image(tmp_path / "a.ome.zarr", pyramid(PIXELS, 3), mpp=0.5)


def test_working_pixels_and_origin_are_those_of_the_slide(tmp_path, slide):
    manifest = tile(slide, tmp_path / "tile" / "a", threads=2)
    assert manifest.status == "done"
    assert manifest.inputs["slide"] == {"path": str(slide), "sha256": sha256(slide)}
    assert manifest.results["format"] == "OME-Zarr"
    assert manifest.results["mpp"] == 0.5
    pyramid = open_pyramid(tmp_path / "tile" / "a")
    np.testing.assert_array_equal(pyramid.read(0, 0, 0, pyramid.size), PIXELS)
    assert verify(tmp_path / "tile").findings == ()


def test_a_level_that_is_not_stored_is_read_from_the_chunks(tmp_path, slide, monkeypatch):
    monkeypatch.setattr(stage, "SMALL_PIXELS", 0)
    folder = tmp_path / "tile" / "a"
    manifest = tile(slide, folder, options=TileOptions(finest_level=1))
    assert manifest.results["finest_level"] == 1
    pyramid = open_pyramid(folder)
    assert pyramid.finest == 1
    window = pyramid.read(0, 500, 300, Size(400, 200))
    np.testing.assert_array_equal(window, PIXELS[300:500, 500:900])


def test_a_store_that_changed_is_not_read_for_finer_levels(tmp_path, slide, monkeypatch):
    monkeypatch.setattr(stage, "SMALL_PIXELS", 0)
    folder = tmp_path / "tile" / "a"
    tile(slide, folder, options=TileOptions(finest_level=1))
    chunk = slide / "2" / "0" / "1" / "0" / "0" / "0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(StageInputError, match=r"a\.ome\.zarr has changed"):
        open_pyramid(folder).read(0, 0, 0, Size(10, 10))
    (finding,) = map(str, verify(tmp_path / "tile").findings)
    assert "a.ome.zarr" in finding


def test_a_folder_that_is_no_store_is_in_quarantine_without_being_read(tmp_path):
    (tmp_path / "a.zarr" / "0").mkdir(parents=True)
    manifest = tile(tmp_path / "a.zarr", tmp_path / "tile" / "a")
    assert manifest.status == "quarantined"
    assert "neither zarr.json nor .zattrs" in manifest.reason
    assert manifest.inputs == {}
