from __future__ import annotations

import pytest
import torch
from small_slides import REGION, ArrayPyramid, make_regions, paint

from lds_path.errors import UsageError
from lds_path.geometry import Region, Size
from lds_path.inference.region_tensors import read_region

REGIONS = make_regions(Size(1000, 600))


@pytest.fixture(scope="module")
def pyramid():
    return ArrayPyramid(paint(0)[0])


@pytest.mark.parametrize("level", [0, 1, 3])
def test_a_region_is_the_area_mean_at_its_level(pyramid, level):
    region = REGIONS[1]
    full = read_region(pyramid, region, 0).float()
    expected = torch.nn.functional.avg_pool2d(full, 2**level) if level else full
    found = read_region(pyramid, region, level)
    assert found.shape == (3, REGION >> level, REGION >> level)
    assert found.dtype == torch.uint8
    assert (found.float() - expected).abs().max() <= 1


def test_a_region_beyond_the_slide_is_glass(pyramid):
    assert (read_region(pyramid, REGIONS[-1], 1)[:, -8:, -8:] == 243).all()


@pytest.mark.parametrize("region", [Region(3, 4, 0, Size(64, 64), Size(8, 8))])
def test_a_region_off_the_pixels_of_a_level_is_named(pyramid, region):
    with pytest.raises(UsageError, match=r"region 3 at \(4, 0\) .* multiples of 8"):
        read_region(pyramid, region, 3)
