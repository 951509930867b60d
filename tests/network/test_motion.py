from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from lds_path.geometry import Size
from lds_path.network.grid import uniform_grid
from lds_path.network.motion import area_factor, identity_motion, move_grid, move_image

LIKE = torch.zeros((), dtype=torch.float64)


def motion(angle, scale, x, y):
    cosine, sine = scale * math.cos(angle), scale * math.sin(angle)
    return torch.tensor([[[cosine, -sine, x], [sine, cosine, y]]], dtype=torch.float64)


def test_standing_still_changes_nothing():
    grid = uniform_grid(Size(7, 5), LIKE).expand(2, -1, -1, -1)
    torch.testing.assert_close(move_grid(grid, identity_motion(2)), grid)
    image = torch.rand(2, 3, 5, 7, dtype=torch.float64)
    torch.testing.assert_close(move_image(image, identity_motion(2)), image)
    assert area_factor(identity_motion(2)).flatten().tolist() == [1, 1]


@pytest.mark.parametrize("how", [(0.4, 0.8, 0.1, -0.2), (2.5, 1.3, 0.2, 0.1)])
def test_a_moved_grid_reads_what_a_moved_image_shows(how):
    image = torch.rand(1, 2, 24, 24, dtype=torch.float64)
    grid = move_grid(uniform_grid(Size(24, 24), LIKE), motion(*how))
    assert grid.abs().max() <= 1
    found = F.grid_sample(image, grid, padding_mode="reflection", align_corners=False)
    torch.testing.assert_close(found, move_image(image, motion(*how)))


def test_what_lies_beyond_an_edge_is_its_mirror_image():
    grid = torch.tensor([[[[0.9, -0.9]]]])
    moved = move_grid(grid, motion(0, 1, 0.3, -0.3))
    torch.testing.assert_close(moved, torch.tensor([[[[0.8, -0.8]]]]))


def test_the_area_factor_is_the_area_read_per_area_shown():
    assert area_factor(motion(0.7, 0.5, 0, 0)).item() == pytest.approx(0.25)
