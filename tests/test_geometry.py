from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lds_path.geometry import Frame, Size, blend_weights, tile_starts


@given(
    x=st.floats(-1e5, 1e5),
    y=st.floats(-1e5, 1e5),
    downsample=st.floats(1, 64),
    left_l0=st.integers(0, 10**6),
)
def test_positions_return_from_level_0(x, y, downsample, left_l0):
    frame = Frame(mpp=0.5, downsample=downsample, left_l0=left_l0, top_l0=7)
    back = frame.from_l0(*frame.to_l0(x, y))
    assert back == pytest.approx((x, y), abs=1e-4)


@given(length=st.integers(1, 50_000), overlap=st.integers(0, 511))
def test_intervals_cover_the_length_without_a_needless_one(length, overlap):
    starts = tile_starts(length, 1024, overlap)
    assert starts[0] == 0
    assert starts[-1] + 1024 >= length
    assert all(start + overlap < length for start in starts[1:])
    assert all(b - a == 1024 - overlap for a, b in pairwise(starts))


@given(width=st.integers(1, 200), height=st.integers(1, 200), overlap=st.integers(0, 100))
def test_blend_weights_are_positive_symmetric_and_one_at_most(width, height, overlap):
    weights = blend_weights(Size(width, height), overlap)
    assert weights.shape == (height, width)
    assert weights.min() > 0
    assert weights.max() <= 1
    np.testing.assert_array_equal(weights, weights[::-1, ::-1])
