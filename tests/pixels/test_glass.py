from __future__ import annotations

import math

import numpy as np
import pytest

from lds_path.pixels.glass import brightest_glass_color, cell_means, glass_cells, is_glass

GLASS = (243, 240, 242)


def slide_view(color=GLASS, noise=2, size=256, seed=0):
    rng = np.random.default_rng(seed)
    view = np.array(color) + rng.integers(-noise, noise + 1, (size, size, 3))
    return view.clip(0, 255).astype(np.uint8)


def chunk(**options):
    return np.ascontiguousarray(slide_view(**options).transpose(2, 0, 1))


def test_the_colour_of_glass_is_found_beside_tissue_and_white_filling():
    view = slide_view()
    view[:150] = (200, 120, 170)
    view[150:200] = 255
    found = brightest_glass_color(view)
    assert found is not None
    assert np.abs(np.subtract(found, GLASS)).max() <= 2


@pytest.mark.parametrize("color", [(0, 0, 0), (90, 30, 30), (240, 190, 220), (255, 255, 255)])
def test_no_glass_is_found_in_fluorescence_tissue_or_filling(color):
    assert brightest_glass_color(np.full((64, 64, 3), color, np.uint8)) is None


def test_noisy_glass_and_white_filling_are_glass():
    assert is_glass(chunk(noise=3), GLASS)
    assert is_glass(np.full((3, 100, 130), 255, np.uint8), GLASS)


def test_a_speck_of_dust_is_glass():
    planes = chunk()
    planes[:, 100:103, 100:103] = 200
    assert is_glass(planes, GLASS)


def test_one_nucleus_is_not_glass():
    planes = chunk()
    planes[:, 100:112, 100:112] = 120
    assert not is_glass(planes, GLASS)


def test_faint_tissue_in_a_corner_is_not_glass():
    planes = chunk()
    planes[1, -32:, -32:] -= 8  # eosin takes some green
    assert not is_glass(planes, GLASS)


def test_cell_means_fill_up_the_last_cell():
    planes = np.zeros((3, 20, 33), np.uint8)
    planes[:, 16:, 32:] = 80
    means = cell_means(planes)
    assert means.shape == (3, 2, 3)
    assert means[0].tolist() == [[0, 0, 0], [0, 0, 80]]


def test_a_coarse_view_shows_glass_only_away_from_tissue():
    view = np.full((40, 60, 3), GLASS, np.uint8)
    view[17, 25] = (230, 200, 220)
    cells = glass_cells(view, GLASS, 12.5)
    assert cells.shape == (4, 5)
    assert np.argwhere(~cells).tolist() == [[1, 1], [1, 2]]  # the second by its margin


@pytest.mark.parametrize("cell", [1.7, 4.0, 12.5, 64.0])
def test_every_square_with_a_darker_pixel_in_it_or_beside_it_is_no_glass(cell):
    view = np.full((41, 60, 3), GLASS, np.uint8)
    random = np.random.default_rng(0)
    for y, x, channel in random.integers(0, (41, 60, 3), (6, 3)).tolist():
        view[y, x, channel] = 200
    dark = (view < 201).any(axis=2)
    cells = glass_cells(view, GLASS, cell)
    assert cells.shape == (math.ceil(41 / cell), math.ceil(60 / cell))
    for row, column in np.ndindex(cells.shape):
        top, left = (max(math.floor(k * cell) - 1, 0) for k in (row, column))
        bottom, right = (math.ceil(k * cell + cell) + 1 for k in (row, column))
        assert cells[row, column] != dark[top:bottom, left:right].any()
