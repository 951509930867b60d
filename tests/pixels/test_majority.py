from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from lds_path.pixels.majority import reduce_by_majority


@given(
    arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 3))
)
def test_a_reduced_pixel_is_the_most_frequent_of_its_four(labels):
    reduced = reduce_by_majority(labels)
    assert reduced.shape == tuple(-(-side // 2) for side in labels.shape)
    padded = np.pad(labels, [(0, side % 2) for side in labels.shape], mode="edge")
    for (row, column), value in np.ndenumerate(reduced):
        four = padded[2 * row : 2 * row + 2, 2 * column : 2 * column + 2].ravel().tolist()
        frequent = [item for item in four if four.count(item) == max(map(four.count, four))]
        assert value == (min(frequent) if (row + column) % 2 else max(frequent))
