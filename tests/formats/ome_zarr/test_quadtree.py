from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lds_path.formats.ome_zarr.quadtree import leaf_order, merge_leaves
from lds_path.geometry import Size


def depth_of(grid):
    return (max(grid.width, grid.height) - 1).bit_length()


grids = st.builds(Size, st.integers(1, 9), st.integers(1, 9))


@given(grids)
def test_every_leaf_is_visited_once(grid):
    order = list(leaf_order(grid, depth_of(grid)))
    assert sorted(order) == [(x, y) for x in range(grid.width) for y in range(grid.height)]


@given(grids)
def test_a_parent_gets_the_leaves_below_it(grid):
    depth = depth_of(grid)

    def merge(level, place, below):
        leaves = [leaf for _, child in below for leaf in child]
        assert {(x >> level, y >> level) for x, y in leaves} == {place}
        return leaves

    order = list(leaf_order(grid, depth))
    assert merge_leaves(iter([[leaf] for leaf in order]), merge, grid, depth) == order
