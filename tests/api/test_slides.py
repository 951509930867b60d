import numpy as np
import pytest
from PIL import Image
from small_slides import paint

import lds_path as lds
from lds_path.errors import ChangedInputError, MissingMppError, UnreadableSlideError
from lds_path.geometry import Size
from lds_path.options.slides import DemoOptions
from lds_path.slides.slide import open_slide
from lds_path.stages.demo import demo


@pytest.fixture
def image(tmp_path):
    rgb, _ = paint(3)
    Image.fromarray(rgb).save(tmp_path / "slide.png")
    return tmp_path / "slide.png", rgb


def test_a_plain_image_has_the_mpp_that_is_given(image):
    path, rgb = image
    slide = lds.open_slide(path, mpp=0.25)
    assert slide.mpp == 0.25
    assert slide.axes == ("c", "y", "x")
    np.testing.assert_array_equal(slide.levels[0].compute(), rgb.transpose(2, 0, 1))
    np.testing.assert_array_equal(
        slide.levels[0][:, 30:60:2, 5].compute(), rgb[30:60:2, 5].transpose(1, 0)
    )


def test_the_levels_are_those_of_the_file(tmp_path):
    demo(tmp_path / "demo", options=DemoOptions(width=1100, height=900))
    path = tmp_path / "demo/slide.tif"
    slide = lds.open_slide(str(path))
    with open_slide(path) as expected:
        assert len(slide.levels) == len(expected.levels) > 1
        assert slide.mpps == tuple(expected.mpp * level.downsample for level in expected.levels)
        for number, level in enumerate(slide.levels[1:], start=1):
            height, width = level.shape[1:]
            pixels = expected.read_region(number, 0, 0, Size(width, height))
            np.testing.assert_array_equal(level.compute(), pixels.transpose(2, 0, 1))


def test_a_replaced_slide_is_not_mixed_with_the_first(image):
    path, rgb = image
    before = lds.open_slide(path, mpp=0.25).levels[0]
    Image.fromarray(rgb[::-1]).save(path)
    after = lds.open_slide(path, mpp=0.25).levels[0]
    assert before.name != after.name
    np.testing.assert_array_equal(after.compute(), rgb[::-1].transpose(2, 0, 1))
    with pytest.raises(ChangedInputError, match=r"slide.png has changed .* call open_slide again"):
        before.compute()


def test_a_slide_that_cannot_be_used_is_named(image, tmp_path):
    path, _ = image
    with pytest.raises(MissingMppError, match=r"slide.png .* \(in Python: mpp=\)"):
        lds.open_slide(path)
    with pytest.raises(UnreadableSlideError, match=r"none.svs"):
        lds.open_slide(tmp_path / "none.svs")
    with pytest.raises(UnreadableSlideError, match="is a folder"):
        lds.open_slide(tmp_path)
