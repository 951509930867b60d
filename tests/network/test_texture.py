"""Texture is additive energy, so that neither a warp nor a turn nor a stain changes what it says."""

from __future__ import annotations

import pytest
import torch

from lds_path.errors import UsageError
from lds_path.geometry import Size
from lds_path.network.samplers import knothe_rosenblatt_grid, uniform_grid
from lds_path.network.segmenter import Segmenter
from lds_path.network.spec import OCTAVES, NetworkSpec
from lds_path.network.texture import TEXTURE_CHANNELS, read_texture, restain, texture_levels

SPEC = NetworkSpec(
    2,
    channels=(4, 8),
    density_channels=(4, 8),
    view_level=3,
    texture=True,
    texture_level=0,
    shared_features=True,
)


def checkerboard(edge, *, side=64, dark=60):
    rows, columns = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    is_dark = (rows // edge + columns // edge) % 2 == 1
    return torch.where(is_dark, dark, 220).to(torch.uint8).expand(1, 3, side, side)


def test_a_smooth_image_has_no_texture():
    levels = texture_levels(torch.full((1, 3, 64, 64), 150, dtype=torch.uint8), 2)
    assert [tuple(level.shape) for level in levels] == [(1, TEXTURE_CHANNELS, s, s) for s in (8, 4)]
    assert all(level.max() < 1e-6 for level in levels)


@pytest.mark.parametrize("octave", range(OCTAVES))
def test_squares_of_an_octave_have_their_energy_in_it_alone(octave):
    (energies,) = texture_levels(checkerboard(2**octave), 1)
    found = energies.mean(dim=(0, 2, 3)).reshape(OCTAVES, 3)
    density = torch.log(torch.tensor(221 / 61))
    torch.testing.assert_close(found[octave], (density / 2).square().expand(3))
    others = [number for number in range(OCTAVES) if number != octave]
    assert found[others].max() < 1e-6


def test_even_texture_is_even_on_any_grid():
    levels = texture_levels(checkerboard(2), 2)
    density = 0.2 + torch.rand(1, 8, 8, generator=torch.Generator().manual_seed(1))
    for grid in (
        uniform_grid(Size(16, 16), density),
        knothe_rosenblatt_grid(density, Size(16, 16), smoothing=0.03, max_zoom=None),
    ):
        found = read_texture(levels, grid.float())
        assert found.shape == (1, TEXTURE_CHANNELS, 16, 16)
        assert (found - found[..., :1, :1]).abs().max() < 1e-4


@pytest.mark.parametrize("turns", range(4))
def test_texture_turns_with_the_image(turns):
    pixels = torch.randint(0, 256, (1, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    (turned,) = texture_levels(torch.rot90(pixels, turns, (2, 3)).flip(3), 1)
    (level,) = texture_levels(pixels, 1)
    torch.testing.assert_close(turned, torch.rot90(level, turns, (2, 3)).flip(3))


def test_the_texture_of_another_stain_follows_from_that_of_the_first():
    generator = torch.Generator().manual_seed(0)
    density = 0.2 + 1.5 * torch.rand(1, 3, 64, 64, generator=generator)
    stain = torch.tensor([0.8, 1.0, 1.3]).view(1, 3, 1, 1)
    grid = uniform_grid(Size(8, 8), density).float()
    first, second = (
        read_texture(texture_levels(256 * torch.exp(-one) - 1, 1), grid)
        for one in (density, stain * density)
    )
    torch.testing.assert_close(restain(first, stain), second, atol=1e-4, rtol=1e-4)
    assert (first - second).abs().max() > 0.1


def test_scores_follow_the_texture():
    torch.manual_seed(0)
    segmenter = Segmenter(SPEC).eval()
    view, levels = torch.full((1, 3, 8, 8), 150.0), [torch.full((1, 3, 16, 16), 150.0)]
    scores = [
        segmenter(view, levels, Size(16, 16), texture=texture_levels(pixels, 1)).logits
        for pixels in (checkerboard(1), checkerboard(4))
    ]
    assert not torch.allclose(*scores, atol=1e-3)


def test_a_network_may_see_texture_and_nothing_else_beside_colours():
    segmenter = Segmenter(NetworkSpec(2, channels=(4, 8), sampler="uniform", shared_features=False,
                                      density_channels=(4, 8), texture=True)).eval()  # fmt: skip
    assert segmenter.input_count == 3 + TEXTURE_CHANNELS
    levels = [torch.full((1, 3, 16, 16), 150.0)]
    texture = texture_levels(checkerboard(2), 1)
    found = segmenter(torch.zeros(1, 3, 8, 8), levels, Size(16, 16), texture=texture)
    assert found.logits.shape == (1, 2, 16, 16)


def test_texture_ends_where_the_coarse_view_begins():
    with pytest.raises(UsageError, match="texture_level is 2, expected at most 1"):
        NetworkSpec(2, view_level=3, texture=True, texture_level=2)
