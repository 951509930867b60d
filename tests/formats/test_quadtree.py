from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lds_path.formats.quadtree import leaf_order, merge_leaves, run_ahead
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


@pytest.mark.parametrize("threads", [1, 3])
def test_results_keep_their_order_and_few_are_computed_ahead(threads):
    started = 0
    lock = threading.Lock()

    def work(place):
        nonlocal started
        with lock:
            started += 1
        return place

    places = [(index, 0) for index in range(20)]
    with run_ahead(work, places, threads) as results:
        for taken, result in enumerate(results, 1):
            assert result == places[taken - 1]
            assert started <= taken + threads


def test_an_error_comes_out_and_later_work_is_left_undone():
    done = []

    def work(place):
        if place == (2, 0):
            raise ZeroDivisionError
        done.append(place)

    places = [(index, 0) for index in range(20)]
    with pytest.raises(ZeroDivisionError), run_ahead(work, places, 1) as results:
        list(results)
    assert len(done) <= 4
