"""Texture is additive energy, so that neither a warp nor a stain changes what it says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lds_path.errors import UsageError
from lds_path.geometry import Size
from lds_path.network.samplers import knothe_rosenblatt_grid, uniform_grid
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import NetworkSpec
from lds_path.network.texture import read_texture, restain, texture_levels
from lds_path.pixels.octaves import TEXTURE_CHANNELS
from lds_path.pixels.texture import measure_texture

SPEC = NetworkSpec(
    2, channels=(4, 8), density_channels=(4, 8), view_level=3, texture=True, texture_level=0
)


def checkerboard(edge, *, side=64, dark=60):
    rows, columns = np.indices((side, side)) // edge
    planes = np.where((rows + columns) % 2, dark, 220).astype(np.uint8)[None].repeat(3, axis=0)
    return torch.from_numpy(measure_texture(planes))[None]


def test_even_texture_is_even_on_any_grid():
    levels = texture_levels(checkerboard(2), 2)
    assert [tuple(level.shape) for level in levels] == [
        (1, TEXTURE_CHANNELS, side, side) for side in (8, 4)
    ]
    density = 0.2 + torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(1))
    for grid in (
        uniform_grid(Size(16, 16), density),
        knothe_rosenblatt_grid(density, Size(16, 16), smoothing=0.03, max_zoom=None),
    ):
        found = read_texture(levels, grid.float())
        assert found.shape == (1, TEXTURE_CHANNELS, 16, 16)
        assert (found - found[..., :1, :1]).abs().max() < 1e-4


def test_the_texture_of_a_large_area_is_the_mean_of_its_energies():
    fine, coarse = texture_levels(torch.cat((checkerboard(1), checkerboard(4)), dim=3), 2)
    mean = fine.unflatten(2, (4, 2)).unflatten(4, (8, 2)).mean(dim=(3, 5))
    torch.testing.assert_close(coarse, mean)


def test_the_texture_of_another_stain_follows_from_that_of_the_first():
    random = np.random.default_rng(0)
    density = 0.2 + random.random((3, 64, 64), np.float32)
    stain = np.array([0.8, 1.0, 1.3], np.float32)[:, None, None]
    grid = uniform_grid(Size(8, 8), torch.zeros(1)).float()
    first, second = (
        read_texture(
            texture_levels(
                torch.from_numpy(measure_texture(np.rint(256 * np.exp(-one) - 1).astype(np.uint8)))[
                    None
                ],
                1,
            ),
            grid,
        )
        for one in (density, stain * density)
    )
    restained = restain(first, torch.from_numpy(stain)[None])
    assert (restained - second).abs().max() < 0.05
    assert (first - second).abs().max() > 0.2


def test_scores_follow_the_texture():
    torch.manual_seed(0)
    segmenter = Segmenter(SPEC).eval()
    view, levels = torch.full((1, 3, 8, 8), 150.0), [torch.full((1, 3, 16, 16), 150.0)]
    scores = [
        segmenter(view, levels, Size(16, 16), texture=texture_levels(codes, 1)).logits
        for codes in (checkerboard(1), checkerboard(4))
    ]
    assert not torch.allclose(*scores, atol=1e-3)


def test_a_network_may_see_texture_and_nothing_else_beside_colours():
    spec = NetworkSpec(2, channels=(4, 8), sampler="uniform", shared_features=False, texture=True)
    segmenter = Segmenter(spec).eval()
    assert segmenter.input_count == 3 + TEXTURE_CHANNELS
    levels = [torch.full((1, 3, 16, 16), 150.0)]
    texture = texture_levels(checkerboard(2), 1)
    found = segmenter(torch.zeros(1, 3, 8, 8), levels, Size(16, 16), texture=texture)
    assert found.logits.shape == (1, 2, 16, 16)


def test_texture_ends_where_the_coarse_view_begins():
    with pytest.raises(UsageError, match="texture_level is 1, expected 3 less than `view_level`"):
        NetworkSpec(2, view_level=3, texture=True, texture_level=1)
    assert NetworkSpec(2, view_level=3, texture_level=1)
