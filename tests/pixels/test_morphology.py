from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import disk

from lds_path.pixels.morphology import binary_closing, binary_opening, within_reach


def random_mask(share):
    return np.random.default_rng(0).uniform(size=(40, 60)) < share


@pytest.mark.parametrize("distance", [0.0, 1.0, 1.9, 2.0, 4.5, 8.0, 11.3])
def test_within_reach_is_what_a_distance_transform_says(distance):
    mask = random_mask(0.01)
    expected = ndimage.distance_transform_edt(~mask) <= distance
    np.testing.assert_array_equal(within_reach(mask, distance), expected)
    assert not within_reach(np.zeros((3, 4), bool), distance).any()


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_opening_and_closing_are_scipys_where_the_edge_does_not_count(radius):
    inner = (slice(4 * radius, -4 * radius),) * 2
    for mask, ours, theirs in (
        (random_mask(0.9), binary_opening, ndimage.binary_opening),
        (random_mask(0.1), binary_closing, ndimage.binary_closing),
    ):
        expected = theirs(mask, disk(radius))[inner]
        assert 0 < expected.mean() < 1
        assert (expected != mask[inner]).any()
        np.testing.assert_array_equal(ours(mask, radius)[inner], expected)
