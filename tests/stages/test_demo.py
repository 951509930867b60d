import numpy as np
import openslide
import pytest
import tifffile

from lds_path.errors import UsageError
from lds_path.geometry import Size
from lds_path.options.slides import DemoOptions, TileOptions
from lds_path.pixels.synthetic import paint_slide
from lds_path.stages.demo import demo
from lds_path.stages.tile import tile


def test_openslide_reads_the_painted_slide_with_its_mpp_and_levels(tmp_path):
    demo(tmp_path / "painted-3", options=DemoOptions(seed=3, width=1500, height=1100))
    with openslide.OpenSlide(tmp_path / "painted-3" / "slide.tif") as slide:
        assert slide.level_dimensions == ((1500, 1100), (750, 550), (375, 275))
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.5)


def test_a_painted_slide_says_so_in_the_file_whatever_its_name(tmp_path):
    demo(tmp_path / "painted-3", options=DemoOptions(seed=3, width=900, height=700))
    (tmp_path / "painted-3" / "slide.tif").rename(tmp_path / "real.tif")
    plain = np.full((700, 900, 3), 200, np.uint8)
    tifffile.imwrite(tmp_path / "scan.tif", plain, tile=(256, 256), software="lds-path")
    for name, painted in (("real", True), ("scan", False)):
        manifest = tile(
            tmp_path / f"{name}.tif", tmp_path / name, options=TileOptions(slide_mpp=0.5)
        )
        assert manifest.results["painted"] is painted


def test_the_reference_labels_are_exactly_what_was_painted(tmp_path):
    demo(tmp_path / "painted-3", options=DemoOptions(seed=3, width=900, height=700))
    labels = tifffile.imread(tmp_path / "painted-3" / "labels.tif")
    assert (labels == paint_slide(3, Size(900, 700)).labels).all()


def test_a_slide_that_cannot_be_painted_is_refused(tmp_path):
    with pytest.raises(UsageError, match="structured is 0, expected more than 0"):
        demo(tmp_path / "a", options=DemoOptions(structured=0))
    with pytest.raises(UsageError, match="width is 100, expected a whole number from 512 to 32768"):
        demo(tmp_path / "a", options=DemoOptions(width=100, height=700))
