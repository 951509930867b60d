from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely.geometry import MultiPolygon, Polygon

from lds_path.geometry import Size
from lds_path.objects.polygons import GRID, areas_of, mean_inside, place_on_grid, rasterise

SQUARE = np.array([[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]])


def test_a_window_is_the_same_as_the_whole_cut_out():
    rng = np.random.default_rng(0)
    polygons = [(k, Polygon(rng.uniform(-5, 35, (3, 2)))) for k in range(1, 9)]
    whole = rasterise(polygons, 0, 0, Size(30, 20))
    np.testing.assert_array_equal(rasterise(polygons, 7, 3, Size(9, 11)), whole[3:14, 7:16])


def test_a_pixel_belongs_to_the_polygon_that_holds_its_centre():
    rng = np.random.default_rng(1)
    rows, columns = np.indices((20, 30)) + 0.5
    for _ in range(20):
        triangle = Polygon(rng.uniform(-5, 35, (3, 2)))
        hole = triangle.buffer(-3)
        area = triangle.difference(hole)
        np.testing.assert_array_equal(
            rasterise([(1, area)], 0, 0, Size(30, 20)), shapely.contains_xy(area, columns, rows)
        )


def test_all_parts_of_an_area_are_drawn():
    area = MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 1, 3, 2)])
    np.testing.assert_array_equal(rasterise([(5, area)], 0, 0, Size(3, 2)), [[5, 0, 0], [0, 0, 5]])


def test_an_empty_area_covers_nothing():
    assert not rasterise([(1, Polygon())], 0, 0, Size(3, 2)).any()


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


def test_a_polygon_is_placed_on_the_grid():
    hole = SQUARE[::-1] / 4 + 1
    placed = place_on_grid([SQUARE, hole], scale=1.00049, offset=(1000.0, 7.126))
    assert placed.bounds == (1000, 7.13, 1004, 11.13)
    assert placed.interiors[0].bounds == (1001, 8.13, 1002, 9.13)


def test_a_polygon_that_collapses_on_the_grid_loses_that_part():
    spike = np.array([[0, 0], [4, 0], [4, 4], [4.001, 9], [3.999, 4], [0, 4], [0, 0]])
    placed = place_on_grid([spike], scale=1)
    assert placed.equals(Polygon(SQUARE))
    assert shapely.set_precision(placed, GRID, mode="pointwise").is_valid


def test_a_polygon_smaller_than_the_grid_is_nothing():
    assert place_on_grid([SQUARE], scale=0.001) is None


def test_a_mean_is_that_of_the_pixels_inside_that_are_known():
    image = np.array([[10, 20, 30], [0, 40, 50]], np.uint8)
    outline = np.array([[0, 0], [16, 0], [16, 16], [0, 16], [0, 0]])
    assert mean_inside([outline], image, downsample=8) == pytest.approx(70 / 3)
    assert mean_inside([outline, outline[:, ::-1] // 2], image, downsample=8) == 30


def test_the_mean_of_a_polygon_below_a_pixel_is_the_pixel_around_it():
    image = np.array([[10, 0], [0, 0]], np.uint8)
    assert mean_inside([SQUARE], image, downsample=16) == 10
    assert mean_inside([SQUARE + 20], image, downsample=16) is None


def test_a_polygon_that_crosses_itself_becomes_two():
    bow = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    areas = areas_of(bow)
    assert areas.is_valid
    assert areas.area == pytest.approx(2)
