from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import ndimage
from shapely.geometry import Polygon

from lds_path.geometry import Size
from lds_path.objects.pieces import LeftOut, strip_height, trace_labels
from lds_path.objects.polygons import place_on_grid
from lds_path.reference.drawing import rasterise

speckled = st.tuples(st.integers(1, 14), st.integers(1, 14)).flatmap(
    lambda shape: arrays(np.uint8, shape, elements=st.integers(0, 2))
)
tolerances = st.sampled_from([0.0, 0.7, 1.0, 3.0, 20.0])


@st.composite
def smooth(draw):
    """Return labels with borders that bend, and thin and touching pieces among them."""
    seed, height, width = draw(
        st.tuples(st.integers(0, 999), st.integers(1, 50), st.integers(1, 50))
    )
    noise = np.random.default_rng(seed).normal(size=(4, height, width))
    sigma = draw(st.sampled_from([0.7, 1.5, 3.0]))
    return np.argmax([ndimage.gaussian_filter(each, sigma) for each in noise], axis=0).astype(
        np.uint8
    )


label_images = st.one_of(speckled, smooth())


def trace(labels, **options):
    size = Size(labels.shape[1], labels.shape[0])
    return list(trace_labels(lambda top, size: labels[top : top + size.height], size, **options))


def polygon_of(piece):
    return Polygon(piece.rings[0], piece.rings[1:])


def normalised(pieces):
    return sorted((piece.value, shapely.normalize(polygon_of(piece)).wkt) for piece in pieces)


def disk(radius):
    rows, columns = np.indices((2 * radius + 5,) * 2) - radius - 2
    return (np.hypot(rows, columns) < radius).astype(np.uint8)


@settings(deadline=None)
@given(labels=label_images, height=st.integers(1, 20))
def test_the_polygons_are_the_labels_again(labels, height):
    pieces = trace(labels, height=height)
    areas = [(polygon_of(piece), piece.value) for piece in pieces]
    assert all(area.is_valid for area, _ in areas)
    assert [area.area for area, _ in areas] == [piece.area for piece in pieces]
    size = Size(labels.shape[1], labels.shape[0])
    np.testing.assert_array_equal(rasterise(areas, size), labels)


@settings(deadline=None)
@given(labels=label_images)
def test_pieces_are_those_that_scipy_finds(labels):
    found = sorted((piece.value, piece.area) for piece in trace(labels, height=3))
    expected = []
    for value in np.unique(labels[labels > 0]).tolist():
        numbers, _ = ndimage.label(labels == value)
        expected += [(value, area) for area in np.bincount(numbers.ravel())[1:].tolist()]
    assert found == sorted(expected)


@settings(deadline=None)
@given(labels=label_images, height=st.integers(1, 20))
def test_strips_leave_no_trace_in_exact_outlines(labels, height):
    assert normalised(trace(labels, height=height)) == normalised(trace(labels))


@settings(deadline=None)
@given(
    labels=label_images,
    height=st.integers(1, 60),
    tolerance=tolerances,
    scale=st.floats(0.3, 9.7),
    offset=st.tuples(st.floats(0, 1e5), st.floats(0, 1e5)),
)
def test_outlines_have_no_overlaps_and_no_gaps_on_the_grid_of_qupath(
    labels, height, tolerance, scale, offset
):
    pieces = trace(labels, height=height, tolerance=tolerance)
    placed = [place_on_grid(piece.rings, scale=scale, offset=offset) for piece in pieces]
    assert all(polygon.is_valid for polygon in placed)
    assert shapely.coverage_is_valid(placed)
    points = shapely.get_coordinates(placed)
    np.testing.assert_array_equal(points, np.round(points, 2))


@settings(deadline=None)
@given(labels=label_images, height=st.integers(1, 60), tolerance=tolerances)
def test_a_simplified_outline_stays_near_and_keeps_its_holes(labels, height, tolerance):
    exact, simple = trace(labels, height=height), trace(labels, height=height, tolerance=tolerance)
    for one, other in zip(exact, simple, strict=True):
        assert (one.value, one.area, len(one.rings)) == (other.value, other.area, len(other.rings))
        distance = shapely.hausdorff_distance(polygon_of(one).boundary, polygon_of(other).boundary)
        assert distance <= tolerance + 1e-9


def test_pixels_that_meet_at_a_corner_are_two_pieces():
    assert len(trace(np.array([[1, 0], [0, 1]], np.uint8))) == 2


def test_a_piece_that_meets_itself_at_a_corner_has_a_hole_there():
    (piece,) = trace(np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], np.uint8))
    assert [len(ring) - 1 for ring in piece.rings] == [6, 4]


def test_a_ring_keeps_its_hole_and_what_lies_in_it():
    labels = np.ones((7, 7), np.uint8)
    labels[2:5, 2:5] = 2
    labels[3, 3] = 0
    pieces = {piece.value: piece for piece in trace(labels, height=3)}
    assert [len(pieces[value].rings) for value in (1, 2)] == [2, 2]
    assert [pieces[value].area for value in (1, 2)] == [40, 8]


def test_arms_that_meet_below_are_one_piece():
    labels = np.zeros((9, 7), np.uint8)
    labels[:8, [1, 3, 5]] = 1
    labels[7] = 1
    (piece,) = trace(labels, height=2)
    assert piece.area == 7 * 3 + 7
    assert polygon_of(piece).area == piece.area


def test_nothing_is_traced_where_nothing_was_analysed():
    assert trace(np.zeros((5, 5), np.uint8)) == []


def test_small_pieces_are_left_out_and_small_holes_filled():
    labels = np.ones((20, 20), np.uint8)
    labels[2:4, 2:4] = 0
    labels[8:18, 8:18] = 2
    labels[10:12, 10:12] = 3
    pieces = trace(labels, min_area=5, min_hole_area=5, height=9)
    assert [(piece.value, piece.area, len(piece.rings)) for piece in pieces] == [
        (1, 296, 2),
        (2, 96, 1),
    ]


@settings(deadline=None)
@given(labels=label_images, height=st.integers(1, 20), least=st.sampled_from([2, 5, 30]))
def test_what_is_left_out_and_filled_is_counted(labels, height, least):
    left_out = LeftOut()
    pieces = trace(labels, min_area=least, min_hole_area=least, height=height, left_out=left_out)
    areas = np.zeros(256)
    for piece in pieces:
        areas[piece.value] += polygon_of(piece).area
    areas += left_out.piece_pixels - left_out.hole_pixels
    np.testing.assert_array_equal(areas[1:], np.bincount(labels.ravel(), minlength=256)[1:])
    number = len(trace(labels, height=height))
    assert len(pieces) + left_out.pieces.sum() == number


def test_a_staircase_becomes_a_straight_line():
    stairs = np.tril(np.ones((30, 30), np.uint8))
    (exact,), (simple,) = trace(stairs), trace(stairs, tolerance=1)
    assert len(simple.rings[0]) < 8 < len(exact.rings[0])


def test_simplified_outlines_keep_the_area_of_large_pieces():
    labels = disk(100)
    (piece,) = trace(labels, tolerance=2)
    assert polygon_of(piece).area == pytest.approx(labels.sum(), rel=0.005)
    assert len(piece.rings[0]) < 40


def test_a_wall_one_pixel_thin_stays_open_to_neither_side():
    inside = disk(20) > 0
    labels = np.where(inside, 1, 2).astype(np.uint8)
    labels[ndimage.binary_erosion(inside, np.ones((3, 3)))] = 3
    pieces = {piece.value: piece for piece in trace(labels, tolerance=20)}
    assert [len(pieces[value].rings) for value in (1, 2, 3)] == [2, 2, 1]
    assert shapely.coverage_is_valid([polygon_of(piece) for piece in pieces.values()])


@settings(deadline=None)
@given(labels=label_images, height=st.integers(1, 20))
def test_threads_do_not_change_the_pieces_or_their_order(labels, height):
    one, three = (trace(labels, height=height, tolerance=1.5, threads=n) for n in (1, 3))
    assert [(a.value, a.area) for a in one] == [(b.value, b.area) for b in three]
    for a, b in zip(one, three, strict=True):
        assert all(np.array_equal(*pair) for pair in zip(a.rings, b.rings, strict=True))


def test_a_strip_of_a_wide_image_has_fewer_rows():
    assert strip_height(1000) == 512
    assert strip_height(2**16) == 128
    assert strip_height(2**30) == 32
