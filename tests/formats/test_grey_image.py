import numpy as np
import openslide
import pytest
import tifffile

from lds_path.formats.grey_image import halve_known, write_grey


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
