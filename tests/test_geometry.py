from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lds_path.geometry import (
    Frame,
    Rectangle,
    Region,
    Size,
    ceil_div,
    tile_starts,
    widen,
)

SIDE = 40
SIZES = st.builds(Size, st.integers(0, 25), st.integers(0, 25))
RECTANGLES = st.builds(Rectangle, st.integers(0, 15), st.integers(0, 15), SIZES)
ANYWHERE = st.builds(Rectangle, st.integers(-30, 30), st.integers(-30, 30), SIZES)


def drawn(rectangle):
    """The pixels of a rectangle on a canvas."""
    canvas = np.zeros((SIDE, SIDE), int)
    canvas[rectangle.slices] = 1
    return canvas


@given(x=st.floats(-1e5, 1e5), y=st.floats(-1e5, 1e5), downsample=st.floats(1, 64))
def test_a_working_pixel_is_a_downsample_wide_on_level_0(x, y, downsample):
    frame = Frame(mpp=0.5, downsample=downsample, left_l0=30, top_l0=7)
    assert frame.to_l0(0, 0) == (30, 7)
    moved = np.subtract(frame.to_l0(x + 1, y + 2), frame.to_l0(x, y))
    assert moved == pytest.approx((downsample, 2 * downsample), rel=1e-6)


@given(length=st.integers(1, 50_000), overlap=st.integers(0, 511))
def test_intervals_cover_the_length_without_a_needless_one(length, overlap):
    starts = tile_starts(length, 1024, overlap)
    assert starts[0] == 0
    assert starts[-1] + 1024 >= length
    assert all(start + overlap < length for start in starts[1:])
    assert all(b - a == 1024 - overlap for a, b in pairwise(starts))


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_ceil_div_is_the_least_number_that_covers(length, divisor):
    count = ceil_div(length, divisor)
    assert (count - 1) * divisor < length <= count * divisor


@given(RECTANGLES, RECTANGLES)
def test_the_intersection_has_the_pixels_of_both(one, other):
    common = one.intersection(other)
    assert (drawn(common) == drawn(one) * drawn(other)).all()
    assert common.is_empty == (not drawn(common).any())
    assert common.size.area == drawn(common).sum()


@given(ANYWHERE, SIZES)
def test_a_clipped_rectangle_indexes_an_image_and_its_place_in_the_whole(rectangle, size):
    image = np.random.default_rng(0).random((size.height, size.width))
    window = np.full((rectangle.size.height, rectangle.size.width), -1.0)
    shown = rectangle.clipped(size)
    if not shown.is_empty:
        window[shown.seen_from(rectangle.left, rectangle.top).slices] = image[shown.slices]
    for y, x in np.ndindex(window.shape):
        row, column = rectangle.top + y, rectangle.left + x
        inside = 0 <= row < size.height and 0 <= column < size.width
        assert window[y, x] == (image[row, column] if inside else -1)


@given(ANYWHERE, st.integers(1, 9))
def test_pieces_cover_a_rectangle_once_and_lie_in_one_cell_each(rectangle, edge):
    pieces = list(rectangle.pieces(edge))
    moved = [piece.seen_from(rectangle.left, rectangle.top) for piece in pieces]
    covered = np.zeros((SIDE, SIDE), int)
    for piece in moved:
        covered[piece.slices] += 1
    assert (covered == drawn(Rectangle.whole(rectangle.size))).all()
    assert all(piece.reduced(edge).size == Size(1, 1) for piece in pieces)
    assert moved == sorted(moved, key=lambda piece: (piece.top, piece.left))


@given(RECTANGLES, st.integers(1, 9))
def test_a_reduced_rectangle_has_the_pixels_that_it_touches(rectangle, downsample):
    reduced = rectangle.reduced(downsample)
    touched = {(x // downsample, y // downsample) for y, x in np.argwhere(drawn(rectangle))}
    expected = np.zeros((SIDE, SIDE), int)
    for x, y in touched:
        expected[y, x] = 1
    if not rectangle.is_empty:
        assert (drawn(reduced) == expected).all()
    cells = list(rectangle.cells(Size(downsample, downsample)))
    assert (len(cells), set(cells)) == (len(touched), touched)


@given(SIZES, st.integers(1, 9))
def test_a_size_divided_is_covered_by_so_many_pieces(size, edge):
    assert size.ceil_div(edge).area == len(list(Rectangle.whole(size).pieces(edge)))


@given(ANYWHERE, st.integers(0, 9))
def test_a_grown_rectangle_has_the_rectangle_in_its_middle(rectangle, margin):
    grown = rectangle.grown(margin)
    assert (rectangle.left - grown.left, grown.right - rectangle.right) == (margin, margin)
    assert (rectangle.top - grown.top, grown.bottom - rectangle.bottom) == (margin, margin)
    assert rectangle.intersection(grown) == rectangle


@given(ANYWHERE)
def test_a_rectangle_lies_between_its_edges(rectangle):
    edges = (rectangle.left, rectangle.top, rectangle.right, rectangle.bottom)
    assert Rectangle.between(*edges) == rectangle


def test_edges_that_cross_have_nothing_between_them():
    assert Rectangle.between(5, 5, 3, 9).is_empty
    assert list(Rectangle.between(5, 5, 3, 9).pieces(2)) == []


def test_a_wider_region_keeps_its_number_and_lattice():
    region = Region(3, 10, 20, Size(30, 40), Size(8, 8))
    assert widen(region, 5) == Region(3, 5, 15, Size(40, 50), Size(8, 8))


@given(SIZES, SIZES)
def test_a_size_cut_to_a_limit_is_what_both_cover(size, limit):
    common = Rectangle.whole(size).intersection(Rectangle.whole(limit))
    assert size.cut_to(limit) == common.size
