from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from lds_path.pixels.components import count_pieces, drop_small_pieces, fill_small_holes


@pytest.fixture(params=[(1, 1), (3, 700), (600, 5), (515, 300)])
def mask(request):
    """Noise at several densities, higher than the strips that it is read in."""
    random = np.random.default_rng(0)
    return random.random(request.param) < np.linspace(0.2, 0.8, request.param[1])


def test_pieces_are_those_joined_over_edges(mask):
    assert count_pieces(mask) == ndimage.label(mask)[1]


@pytest.mark.parametrize("max_area", [0, 1, 4, 10**6])
def test_small_pieces_go_and_the_rest_stays(mask, max_area):
    labels, _ = ndimage.label(mask)
    areas = np.bincount(labels.ravel())
    np.testing.assert_array_equal(
        drop_small_pieces(mask, max_area), mask & (areas[labels] > max_area)
    )


def test_holes_are_filled_where_small_pieces_of_the_inverse_would_go(mask):
    np.testing.assert_array_equal(fill_small_holes(mask, 3), ~drop_small_pieces(~mask, 3))


def test_a_mask_is_not_changed(mask):
    before = mask.copy()
    drop_small_pieces(mask, 5)
    np.testing.assert_array_equal(mask, before)
