from __future__ import annotations

import numpy as np
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import MultiPolygon, Polygon

from lds_path.geometry import Size
from lds_path.reference.drawing import rasterise


def test_a_window_is_the_same_as_the_whole_cut_out():
    rng = np.random.default_rng(0)
    areas = [(Polygon(rng.uniform(-5, 35, (3, 2))), k) for k in range(1, 9)]
    whole = rasterise(areas, Size(30, 20))
    part = rasterise(areas, Size(9, 11), corner=(7, 3))
    np.testing.assert_array_equal(part, whole[3:14, 7:16])


def test_a_pixel_belongs_to_the_area_that_holds_its_centre():
    rng = np.random.default_rng(1)
    rows, columns = np.indices((20, 30)) + 0.5
    for _ in range(20):
        triangle = Polygon(rng.uniform(-5, 35, (3, 2)))
        hole = triangle.buffer(-3)
        area = triangle.difference(hole)
        np.testing.assert_array_equal(
            rasterise([(area, 1)], Size(30, 20)), shapely.contains_xy(area, columns, rows)
        )


def test_all_parts_of_an_area_are_drawn():
    area = MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 1, 3, 2)])
    np.testing.assert_array_equal(rasterise([(area, 5)], Size(3, 2)), [[5, 0, 0], [0, 0, 5]])


def test_an_empty_area_covers_nothing():
    assert not rasterise([(Polygon(), 1)], Size(3, 2)).any()


def test_a_window_beyond_the_areas_is_empty():
    square = shapely.box(0, 0, 4, 4)
    assert not rasterise([(square, 1)], Size(5, 5), corner=(10, 10)).any()


def test_rasterising_at_a_coarser_scale_reads_the_pixel_centres():
    square = shapely.box(0, 0, 8, 5.9)  # centres of the rows lie at 2, 6 and 10
    labels = rasterise([(square, 3)], Size(3, 3), downsample=4)
    np.testing.assert_array_equal(labels, [[3, 3, 0], [0, 0, 0], [0, 0, 0]])


def test_of_overlapping_areas_the_last_one_counts():
    below, above = shapely.box(0, 0, 3, 3), shapely.box(1, 1, 2, 2)
    assert rasterise([(below, 1), (above, 2)], Size(3, 3))[1, 1] == 2
    assert rasterise([(above, 2), (below, 1)], Size(3, 3))[1, 1] == 1


@given(st.lists(st.integers(1, 8), min_size=2, max_size=2), st.sampled_from([0.5, 1.0]))
def test_a_centre_on_the_edge_between_areas_belongs_to_one_of_them(cut, unit):
    x, y = (value * unit for value in cut)
    parts = [(0, 0, x, y), (x, 0, 9, y), (0, y, x, 9), (x, y, 9, 9)]
    drawn = [rasterise([(shapely.box(*part), 1)], Size(9, 9)) for part in parts]
    assert (sum(drawn) == 1).all()
