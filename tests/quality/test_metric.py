"""Numbers are written as a person writes them, and pitches, shares and places are right."""

import numpy as np
import pytest

from lds_path.quality.metric import number, sample_pitch, share_percent, well_inside


def uniform_grid(width, height):
    x = (np.arange(width) + 0.5) / width * 2 - 1
    y = (np.arange(height) + 0.5) / height * 2 - 1
    return np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)


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
def test_numbers_show_three_digits_that_count(value, text):
    assert number(value) == text


def test_the_pitch_of_a_uniform_grid_is_the_size_over_the_lattice():
    pitch = sample_pitch(uniform_grid(32, 16), width=256.0, height=128.0)
    np.testing.assert_allclose(pitch, 8.0, rtol=1e-5)


def test_the_pitch_is_small_where_samples_are_dense():
    grid = uniform_grid(64, 64)
    dense = np.sign(grid) * np.abs(grid) ** 2
    pitch = sample_pitch(dense, 64.0, 64.0)
    assert pitch[32, 32] < 0.2
    assert pitch[0, 0] > 1.5


def test_cells_of_a_grid_add_up_to_the_region():
    grid = uniform_grid(64, 48)
    bent = (grid + 0.1 * np.sin(np.pi * grid)).astype(np.float32)
    area = (sample_pitch(bent, 64.0, 48.0) ** 2).sum()
    assert area == pytest.approx(64 * 48, rel=0.02)


def test_share_counts_only_inside_the_whole():
    whole = np.zeros((10, 10), bool)
    whole[:5] = True
    part = np.zeros((10, 10), bool)
    part[:, :2] = True
    assert share_percent(part, whole) == 20
    assert share_percent(part, np.zeros((10, 10), bool)) is None


def test_crops_lie_wholly_inside_and_are_spread():
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
