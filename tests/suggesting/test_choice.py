from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lds_path.suggesting.choice import choose, rank
from lds_path.suggesting.slide_maps import SlideMaps, paint_means
from lds_path.suggesting.squares import STEPS, Squares, find_squares, whole_side


def squares(**parts):
    """Squares side by side that do not overlap."""
    count = len(next(iter(parts.values())))
    places = np.arange(count, dtype=np.int32)
    values = {name: np.array(part, np.float32) for name, part in parts.items()}
    return Squares(4, 0 * places, STEPS * places, np.ones(count, np.float32), values)


def test_a_rank_is_the_fraction_of_the_cohort_that_is_lower():
    slides = [squares(doubt=[0.1, 0.4]), squares(doubt=[0.2, 0.2, 0.9])]
    assert rank(slides, "doubt").tolist() == [0, 0.75, 0.25, 0.25, 1]
    assert np.isnan(rank(slides, "error")).all()


def test_what_is_not_known_of_a_slide_neither_helps_nor_harms_it():
    known = squares(doubt=[0.5, 0.5, 0.5], distance=[0.0, 1.0, 2.0])
    unknown = squares(doubt=[0.5])
    chosen = choose([known, unknown], ["p", "q"], 4)
    places = [(item.slide, item.square) for item in chosen]
    assert places == [(0, 2), (0, 1), (1, 0), (0, 0)]
    assert set(chosen[2].ranks) == {"doubt"}


def test_what_only_one_slide_has_room_for_is_taken_from_it_beyond_its_share():
    slides = [squares(doubt=np.linspace(0.1, 0.9, 9)), squares(doubt=[0.05])]
    chosen = choose(slides, ["p", "q"], 6)
    assert [item.slide for item in chosen].count(0) == 5
    assert len(choose(slides, ["p", "q"], 100)) == 10


def rare_squares(doubt, rare, pixels):
    """Squares whose class 2 is rare where `rare` is doubt that it has."""
    found = squares(doubt=doubt)
    values = np.array(rare, np.float32)
    return replace(found, doubted={1: values * 0 + 1, 2: values}, pixels=pixels)


def test_one_area_in_four_goes_to_a_class_that_is_rarely_predicted():
    doubt = np.linspace(0.9, 0.1, 12)
    rare = [0, 0, 0, 0, 0, 0, 0, 0, 0.1, 0.3, 0.2, 0]
    slides = [rare_squares(doubt, rare, {1: 90, 2: 10})]
    chosen = choose(slides, ["p"], 8)
    assert [item.square for item in chosen] == [0, 1, 2, 3, 4, 5, 9, 10]
    assert [item.rare for item in chosen] == [None] * 6 + [2, 2]
    for by in ("doubt", "random"):
        assert {item.rare for item in choose(slides, ["p"], 8, by=by)} == {None}


def test_a_class_has_no_share_if_it_is_not_rare_or_nowhere():
    doubt, rare = np.linspace(0.9, 0.1, 12), [0] * 11 + [1]
    for pixels, found in (({1: 70, 2: 30}, rare), ({1: 100, 2: 0}, [0] * 12)):
        chosen = choose([rare_squares(doubt, found, pixels)], ["p"], 8)
        assert [item.square for item in chosen] == list(range(8))


def test_nothing_is_chosen_by_a_part_that_is_not_known():
    assert choose([squares(doubt=[0.5])], ["p"], 1, by="error") == []


def test_squares_that_overlap_are_not_both_chosen():
    near = Squares(
        4,
        np.array([0, 0, 3, 4], np.int32),
        np.array([0, 3, 3, 0], np.int32),
        np.ones(4, np.float32),
        {"doubt": np.array([0.9, 0.8, 0.7, 0.6], np.float32)},
    )
    assert [item.square for item in choose([near], ["p"], 4)] == [0, 3]


def test_a_square_at_the_edge_of_the_tissue_holds_less_doubt():
    analysed = np.ones((16, 32), bool)
    analysed[:, :8] = False
    doubt = np.where(analysed, np.float32(0.4), np.float32(np.nan))
    found = find_squares(SlideMaps(analysed, {"doubt": doubt}), 16)
    assert found.columns.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(found.tissue, [0.5, 0.75, 1, 1, 1])
    np.testing.assert_allclose(found.parts["doubt"], 0.4 * found.tissue, rtol=1e-6)


def test_the_doubt_of_a_class_counts_where_it_was_predicted():
    analysed, rare = np.ones((16, 32), bool), np.zeros((16, 32), bool)
    rare[:8, :4] = True
    maps = SlideMaps(analysed, {"doubt": np.full((16, 32), 0.5, np.float32)}, {1: ~rare, 2: rare})
    found = find_squares(maps, 16)
    assert found.doubted[2].tolist() == [0.0625, 0, 0, 0, 0]
    assert found.pixels == {1: 480, 2: 32}


def test_what_is_taken_is_in_no_square():
    taken = np.zeros((16, 40), bool)
    taken[3, 17] = True
    maps = SlideMaps(np.ones(taken.shape, bool), {})
    assert find_squares(maps, 16).columns.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert find_squares(maps, 16, taken=taken).columns.tolist() == [0, 5, 6]


def test_a_slide_smaller_than_a_square_has_one():
    found = find_squares(SlideMaps(np.ones((5, 9), bool), {}), 16)
    assert len(found.rows) == 1
    assert found.tissue[0] == pytest.approx(45 / 256)


@pytest.mark.parametrize(("side_um", "side"), [(1, 4), (281.6, 32), (290, 32), (300, 36)])
def test_a_side_is_a_whole_number_of_cells(side_um, side):
    assert whole_side(side_um, 8.8) == side


def test_regions_that_overlap_are_averaged_and_those_beyond_the_map_are_cut():
    halves = np.array([[0.0, 0.0], [4.0, 4.0]])
    means = paint_means(
        (4, 6),
        [
            ((slice(0, 4), slice(0, 4)), halves),
            ((slice(0, 8), slice(2, 10)), np.array([[2.0]])),
        ],
    )
    assert means[:, 0].tolist() == [0, 0, 4, 4]
    assert means[:, 2].tolist() == [1, 1, 3, 3]
    assert means[:, 5].tolist() == [2, 2, 2, 2]
    assert np.isnan(paint_means((2, 2), [])).all()
