import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import map_coordinates
from stage_results import detect_results

from lds_path.errors import StageInputError
from lds_path.formats.mask import Mask, open_mask
from lds_path.geometry import Size
from lds_path.provenance.manifest import Manifest
from lds_path.provenance.stage_folder import StageFolder
from lds_path.provenance.typed_json import to_json


@pytest.mark.parametrize("scale", [1.0, 1.3, 16.0, 40.0])
def test_it_is_interpolated_bilinearly_and_its_edge_is_repeated(scale):
    pixels = np.random.default_rng(0).random((9, 11)) < 0.5
    found = Mask(pixels, 16.0).read(-20.0, 33.5, Size(150, 120), scale=scale)
    y = (33.5 + (np.arange(120) + 0.5) * scale) / 16 - 0.5
    x = (-20 + (np.arange(150) + 0.5) * scale) / 16 - 0.5
    places = np.meshgrid(y, x, indexing="ij")
    exact = map_coordinates(pixels.astype(float), places, order=1, mode="nearest")
    clear = np.abs(exact - 0.5) > 1e-5
    np.testing.assert_array_equal(found[clear], exact[clear] >= 0.5)


@pytest.mark.parametrize("value", [False, True])
def test_a_window_in_one_colour_has_that_colour(value):
    assert np.all(Mask(np.full((4, 4), value), 8.0).read(3, 5, Size(20, 10)) == value)


def detect_folder(path, mask_downsample):
    results = to_json(detect_results(mask_downsample))
    return StageFolder(path, Manifest("detect", "a", "done", results=results))


def test_the_mask_lies_on_the_slide_by_the_scale_that_detect_recorded(tmp_path):
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "tissue.png")
    found = open_mask(detect_folder(tmp_path, 8.0)).read(0, 0, Size(16, 8))
    assert found[:, 8:].all()
    assert not found[:, :7].any()


def test_the_file_of_detect_is_read(tmp_path):
    pixels = np.random.default_rng(0).random((9, 11)) < 0.5
    Image.fromarray(np.where(pixels, 255, 0).astype(np.uint8)).save(tmp_path / "tissue.png")
    found = open_mask(detect_folder(tmp_path, 1.0)).read(0, 0, Size(11, 9))
    np.testing.assert_array_equal(found, pixels)


def test_a_missing_or_damaged_mask_is_named(tmp_path):
    with pytest.raises(StageInputError, match=r"tissue.png.*run detect again"):
        open_mask(detect_folder(tmp_path, 1.0))
    (tmp_path / "tissue.png").write_bytes(b"text")
    with pytest.raises(StageInputError, match=r"tissue.png.*run detect again"):
        open_mask(detect_folder(tmp_path, 1.0))
