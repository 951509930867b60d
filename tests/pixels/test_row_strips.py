from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from lds_path.pixels.row_strips import ROWS, DensityView, in_strips, optical_density, strips


@pytest.mark.parametrize("height", [1, ROWS, ROWS + 1, 3 * ROWS - 1])
def test_strips_cover_every_row_once(height):
    rows = np.concatenate([np.arange(height)[strip] for strip in strips(height)])
    np.testing.assert_array_equal(rows, np.arange(height))


def test_strips_with_their_surroundings_give_what_the_whole_gives():
    mask = np.random.default_rng(0).random((2 * ROWS + 9, 40)) < 0.02

    def grow(rows):
        return ndimage.binary_dilation(rows, iterations=3)

    np.testing.assert_array_equal(in_strips(grow, mask, 3), grow(mask))
    assert not np.array_equal(in_strips(grow, mask, 0), grow(mask))


def test_densities_are_met_where_the_whole_view_meets_them():
    view = np.random.default_rng(0).integers(0, 256, (ROWS + 20, 30, 3), np.uint8)
    view[5:9] = 243
    glass = np.array([240, 238, 241], np.float32)
    expected = optical_density(view, glass)[..., 1] > 0.3
    found = DensityView(view, glass).where(lambda density: density[..., 1] > 0.3)
    np.testing.assert_array_equal(found, expected)
    assert not DensityView(view, glass, background=243).rows(slice(5, 9)).any()
