import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lds_path.errors import UsageError
from lds_path.geometry import Region, Size
from lds_path.options.labels import StitchOptions
from lds_path.unwarp.canvas import PIXELS_PER_SAMPLE, label_mpp

SIDES = st.integers(16, 4096)


def region(size, lattice, index=0):
    return Region(index, 0, 0, Size(size, size), Size(lattice, lattice))


@given(SIDES, SIDES, st.floats(0.1, 8))
def test_auto_leaves_enough_label_pixels_between_samples_and_no_more_than_twice_that(
    size, lattice, working
):
    scale = label_mpp("auto", [region(size, lattice)], working) / working
    assert math.log2(scale) % 1 == pytest.approx(0, abs=1e-6)
    between = size / lattice / scale
    assert scale == pytest.approx(1) or between >= PIXELS_PER_SAMPLE * (1 - 1e-6)
    assert between < 2 * PIXELS_PER_SAMPLE


def test_the_densest_region_decides_for_the_slide():
    regions = [region(2048, 64, 0), region(2048, 256, 1)]
    assert label_mpp("auto", regions, 0.5) == label_mpp("auto", regions[1:], 0.5) == 1.0
    assert label_mpp("auto", regions[:1], 0.5) == 4.0


def test_the_working_resolution_is_had_on_request():
    assert label_mpp("working", [region(2048, 64)], 0.5) == 0.5


def test_a_number_is_taken_as_it_is():
    assert label_mpp(1.37, [region(2048, 64)], 0.5) == 1.37


@pytest.mark.parametrize("text", ["0", "-1", "65", "half", "nan", "1e3", ""])
def test_anything_else_is_refused_with_what_is_expected(text):
    with pytest.raises(UsageError, match="unknown; expected `auto`, `working`, or microns per pi"):
        StitchOptions(mpp=text)
