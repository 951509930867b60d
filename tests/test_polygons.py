from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from shapely.geometry import Polygon

from lds_path.geometry import Size
from lds_path.polygons import GRID, areas_of, rasterise, simplify, snap, trace_labels

label_images = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 2))
)


def size_of(labels):
    return Size(labels.shape[1], labels.shape[0])


def trace(labels, **options):
    def read_block(left, top, size):
        return labels[top : top + size.height, left : left + size.width]

    return list(trace_labels(read_block, size_of(labels), **options))


def normalised(traced):
    return sorted((value, shapely.normalize(polygon).wkt) for value, polygon in traced)


@settings(deadline=None)
@given(labels=label_images)
def test_the_polygons_of_a_class_have_the_area_of_its_pixels(labels):
    traced = trace(labels)
    for value in (1, 2):
        area = sum(polygon.area for found, polygon in traced if found == value)
        assert area == (labels == value).sum()


@settings(deadline=None)
@given(labels=label_images, block=st.integers(1, 8))
def test_blocks_leave_no_trace(labels, block):
    assert normalised(trace(labels, block=block)) == normalised(trace(labels))


@settings(deadline=None)
@given(labels=label_images, block=st.integers(1, 20))
def test_rasterised_polygons_are_the_labels_again(labels, block):
    np.testing.assert_array_equal(
        rasterise(trace(labels, block=block), 0, 0, size_of(labels)), labels
    )


@settings(deadline=None)
@given(
    labels=label_images,
    scale=st.floats(0.3, 9.7),
    offset=st.tuples(st.floats(0, 1e5), st.floats(0, 1e5)),
    tolerance=st.sampled_from([0.0, 0.7, 1.0, 3.0]),
)
def test_polygons_stay_valid_on_the_grid_of_qupath(labels, scale, offset, tolerance):
    for _, polygon in trace(labels, block=5):
        placed = snap(
            simplify(polygon, tolerance=tolerance, min_hole_area=2), scale=scale, offset=offset
        )
        points = np.round(shapely.get_coordinates(placed), 2)
        np.testing.assert_array_equal(points, shapely.get_coordinates(placed))
        assert placed.is_valid
        assert shapely.set_precision(placed, GRID, mode="pointwise").is_valid


def test_pixels_that_meet_at_a_corner_are_two_pieces():
    assert len(trace(np.array([[1, 0], [0, 1]], np.uint8))) == 2


def test_a_ring_keeps_its_hole_and_what_lies_in_it():
    labels = np.ones((7, 7), np.uint8)
    labels[2:5, 2:5] = 2
    labels[3, 3] = 0
    traced = dict(trace(labels, block=3))
    assert [len(traced[value].interiors) for value in (1, 2)] == [1, 1]
    assert [traced[value].area for value in (1, 2)] == [40, 8]


def test_nothing_is_traced_where_nothing_was_analysed():
    assert trace(np.zeros((5, 5), np.uint8)) == []


def test_a_window_of_the_labels_is_the_same_as_the_whole_cut_out():
    labels = np.random.default_rng(0).integers(0, 3, (20, 30)).astype(np.uint8)
    polygons = trace(labels)
    np.testing.assert_array_equal(rasterise(polygons, 7, 3, Size(9, 11)), labels[3:14, 7:16])


def test_a_window_beyond_the_polygons_is_empty():
    square = shapely.box(0, 0, 4, 4)
    assert not rasterise([(1, square)], 10, 10, Size(5, 5)).any()


def test_rasterising_at_a_coarser_scale_reads_the_pixel_centres():
    square = shapely.box(0, 0, 8, 5.9)  # centres of the rows lie at 2, 6 and 10
    labels = rasterise([(3, square)], 0, 0, Size(3, 3), downsample=4)
    np.testing.assert_array_equal(labels, [[3, 3, 0], [0, 0, 0], [0, 0, 0]])


def test_of_overlapping_polygons_the_last_one_counts():
    below, above = shapely.box(0, 0, 3, 3), shapely.box(1, 1, 2, 2)
    assert rasterise([(1, below), (2, above)], 0, 0, Size(3, 3))[1, 1] == 2
    assert rasterise([(2, above), (1, below)], 0, 0, Size(3, 3))[1, 1] == 1


def test_small_holes_are_filled_and_large_ones_kept():
    outline = shapely.box(0, 0, 20, 20)
    small, large = shapely.box(2, 2, 4, 4), shapely.box(8, 8, 18, 18)
    polygon = outline.difference(small).difference(large)
    assert simplify(polygon, tolerance=0, min_hole_area=5).area == 300


def test_a_staircase_becomes_a_straight_line():
    stairs = np.tril(np.ones((30, 30), np.uint8))
    ((_, polygon),) = trace(stairs)
    simple = simplify(polygon, tolerance=1, min_hole_area=0)
    assert len(simple.exterior.coords) < 8 < len(polygon.exterior.coords)
    assert polygon.hausdorff_distance(simple) <= 1


def test_a_polygon_smaller_than_the_grid_is_nothing():
    assert snap(shapely.box(0, 0, 1, 1), scale=0.001) is None


def test_a_polygon_that_crosses_itself_becomes_two():
    bow = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    areas = areas_of(bow)
    assert areas.is_valid
    assert areas.area == pytest.approx(2)
