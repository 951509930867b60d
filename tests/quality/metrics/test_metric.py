"""Numbers are written as people write them; percentages and cells are right."""

import numpy as np
import pytest

from lds_path.quality.metrics.metric import (
    format_metric,
    format_number,
    percent_of,
    round_metric,
    well_inside,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (5, "5"),
        (12.345, "12.3"),
        (0.01234, "0.0123"),
        (270184.7, "270185"),
        (2e-5, "2.0e-05"),
    ],
)
def test_numbers_show_three_significant_digits(value, text):
    assert format_number(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2.3, "mm²", "2.30"),
        (2.136, "mm²", "2.14"),
        (0.0004, "mm²", "<0.01"),
        (0, "mm²", "0.00"),
        (51.27, "% of tissue", "51.3"),
        (0.14, "0 to 1", "0.140"),
        (0.25212, "µm/px", "0.252"),
        (12.0, "regions", "12"),
        (12.345, "", "12.3"),
    ],
)
def test_numbers_of_a_unit_have_its_decimals_everywhere(value, unit, text):
    assert format_metric(value, unit) == text


def test_a_table_for_programs_has_two_decimals_more_and_leaves_the_rest_alone():
    assert round_metric(12.345678, "mm²") == 12.3457
    assert round_metric(3, "mm²") == 3
    assert round_metric("sheet", "") == "sheet"
    assert round_metric(None, "% of tissue") is None


def test_the_percentage_counts_only_inside_the_whole():
    whole = np.zeros((10, 10), bool)
    whole[:5] = True
    part = np.zeros((10, 10), bool)
    part[:, :2] = True
    assert percent_of(part, whole) == 20
    assert percent_of(part, np.zeros((10, 10), bool)) is None


def test_cells_lie_entirely_inside_and_are_spread():
    mask = np.zeros((64, 96), bool)
    mask[9:, 9:] = True
    cells = well_inside(mask, 8, count=5)
    assert len(cells) == 5
    assert all(mask[y : y + 8, x : x + 8].all() for x, y in cells)
    assert cells[0][1] < cells[-1][1]


def test_thin_tissue_gives_its_fullest_cells_and_no_tissue_none():
    mask = np.zeros((32, 32), bool)
    mask[:, 8:14] = True
    assert {x for x, _ in well_inside(mask, 8, count=9)} == {8}
    assert well_inside(np.zeros((32, 32), bool), 8, count=9) == []
