"""CZI that OpenSlide refuses: pixels as they were written, and what is refused."""

import sys

import numpy as np
import openslide
import pytest
from ngff import random_pixels
from pylibCZIrw import czi

from lds_path.errors import UnreadableSlideError, UnsuitableSlideError, UsageError
from lds_path.geometry import Size
from lds_path.slides.slide import open_slide

PIXELS = random_pixels(500, 700)
EDGE = 256


def write(path, pixels=PIXELS, *, compression="uncompressed:", scenes=1, planes=1, missing=()):
    """Write an image in squares, as often as there are scenes or focal planes."""
    with czi.create_czi(str(path), exist_ok=True, compression_options=compression) as document:
        for scene in range(scenes):
            for plane in range(planes):
                for top in range(0, pixels.shape[0], EDGE):
                    for left in range(0, pixels.shape[1], EDGE):
                        if (left, top) in missing:
                            continue
                        part = pixels[top : top + EDGE, left : left + EDGE]
                        document.write(
                            np.ascontiguousarray(part[..., ::-1]),  # it takes blue first
                            plane={"C": 0, "Z": plane}, location=(left + 2000 * scene, top),
                            **({"scene": scene} if scenes > 1 else {}),
                        )  # fmt: skip
        document.write_metadata("a", scale_x=0.25e-6, scale_y=0.25e-6)
    return path


@pytest.mark.parametrize("compression", ["uncompressed:", "zstd0:ExplicitLevel=2", "zstd1:"])
def test_pixels_and_size_are_those_that_were_written(tmp_path, compression):
    path = write(tmp_path / "a.czi", compression=compression)
    with pytest.raises(openslide.OpenSlideError, match="Unrecognized subblock dimension"):
        openslide.OpenSlide(path)  # else OpenSlide reads it, and this reader is not asked
    with open_slide(path) as slide:
        assert (slide.mpp, slide.mpp_source) == (0.25, "metadata")
        assert slide.size == Size(700, 500)
        np.testing.assert_array_equal(slide.read_region(0, 0, 0, slide.size), PIXELS)
        part = slide.read_region(0, 650, -20, Size(100, 100))
        np.testing.assert_array_equal(part[20:, :50], PIXELS[:80, 650:])
        assert (part[:20] == 255).all()
        assert (part[:, 50:] == 255).all()


def test_what_was_not_scanned_is_white(tmp_path):
    with open_slide(write(tmp_path / "a.czi", missing={(256, 0)})) as slide:
        shown = slide.read_region(0, 0, 0, slide.size)
    assert (shown[:256, 256:512] == 255).all()
    np.testing.assert_array_equal(shown[256:], PIXELS[256:])


def test_scenes_are_images_of_the_file(tmp_path):
    path = write(tmp_path / "a.czi", scenes=2)
    with pytest.raises(UnsuitableSlideError, match=r"holds 2 images of about one size"):
        open_slide(path)
    with open_slide(path, scene="1") as slide:
        assert slide.description.image_number == 1
        np.testing.assert_array_equal(slide.read_region(0, 0, 0, slide.size), PIXELS)


def test_focal_planes_dyes_and_damage_are_named(tmp_path):
    with pytest.raises(UnsuitableSlideError, match=r"holds 3 focal planes and 1 points in time"):
        open_slide(write(tmp_path / "planes.czi", planes=3))
    with pytest.raises(UnreadableSlideError, match=r"pixels of type uint16"):
        open_slide(write(tmp_path / "grey.czi", np.full((300, 300, 1), 1000, np.uint16)))
    whole = write(tmp_path / "a.czi").read_bytes()
    (tmp_path / "cut.czi").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableSlideError, match="copy it again from its source") as error:
        open_slide(tmp_path / "cut.czi")
    assert "\n" not in str(error.value)


def test_the_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastslide", None)
    with pytest.raises(UsageError, match=r'pip install "lds-path\[czi\]"'):
        open_slide(write(tmp_path / "a.czi"))
