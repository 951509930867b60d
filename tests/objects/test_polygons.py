from __future__ import annotations

import numpy as np
import pytest
import shapely
from shapely.geometry import Polygon

from lds_path.objects.polygons import GRID, areas_of, means_inside, place_on_grid

SQUARE = np.array([[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]])


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
    polygons = [[outline], [outline, outline[:, ::-1] // 2], [outline + np.array((8, 0))]]
    assert means_inside(polygons, image, downsample=8) == [pytest.approx(70 / 3), 30, 35]


def test_the_mean_of_a_polygon_below_a_pixel_is_the_pixel_around_it():
    image = np.array([[10, 0], [0, 0]], np.uint8)
    polygons = [[SQUARE], [SQUARE + 20], [SQUARE + 40]]
    assert means_inside(polygons, image, downsample=16) == [10, None, None]


def test_the_mean_of_a_polygon_beyond_the_image_is_that_of_its_part_inside():
    image = np.array([[10, 20], [30, 40]], np.uint8)
    outline = np.array([[1, -3], [9, -3], [9, 9], [1, 9], [1, -3]])
    assert means_inside([[outline]], image, downsample=1) == [30]


def test_a_polygon_that_crosses_itself_becomes_two():
    bow = Polygon([(0, 0), (2, 2), (2, 0), (0, 2)])
    areas = areas_of(bow)
    assert areas.is_valid
    assert areas.area == pytest.approx(2)
