from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from label_shares import label_fractions

from lds_path.geometry import Size
from lds_path.network.density import to_density
from lds_path.network.grid import sample_area, sampling_grid, uniform_grid
from lds_path.network.warp import (
    halve,
    levels_needed,
    wanted_level,
    warp,
    warp_labels,
)


def uniform(side, batch=1):
    return uniform_grid(Size(side, side), torch.zeros(1)).expand(batch, -1, -1, -1)


def bent(seed, side=16, batch=1, contrast=6.0):
    generator = torch.Generator().manual_seed(seed)
    density = to_density(contrast * torch.randn(batch, 1, 16, 16, generator=generator), floor=0.05)
    return sampling_grid(density, Size(side, side), sampler="kernel", kernel_width=0.12)


def image(seed=0, side=32, channels=3, batch=1):
    return torch.rand(batch, channels, side, side, generator=torch.Generator().manual_seed(seed))


def test_the_grid_of_the_own_pixels_changes_nothing():
    region = image()
    torch.testing.assert_close(warp(halve(region, 4), uniform(32)), region)


@pytest.mark.parametrize("level", [1, 2, 3])
def test_a_uniform_grid_reads_the_area_means_of_its_level(level):
    region = image(side=64)
    levels = halve(region, 5)
    torch.testing.assert_close(warp(levels, uniform(64 >> level)), levels[level])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), value=st.integers(0, 255), levels=st.integers(1, 4))
def test_a_constant_stays_constant(seed, value, levels):
    region = torch.full((1, 2, 64, 64), value, dtype=torch.uint8)
    warped = warp(
        [region[..., :: 1 << index, :: 1 << index] for index in range(levels)], bent(seed)
    )
    torch.testing.assert_close(warped, torch.full_like(warped, value), atol=1e-4, rtol=1e-6)


def test_noise_is_averaged_not_picked():
    noise = image(seed=1, side=256, channels=1) - 0.5
    levels = halve(noise, 6)
    picked = warp(levels[:1], uniform(16))
    averaged = warp(levels, uniform(16))
    assert averaged.std() < 0.15 * picked.std()


def test_a_ramp_is_read_where_the_grid_says():
    side = 128
    ramp = ((torch.arange(side) + 0.5) * 2 / side - 1).expand(1, 1, side, side)
    grid = bent(4, side=32)
    inner = grid[..., 0].abs() < 0.9  # beyond the outer pixel centres a read repeats the edge
    found = warp(halve(ramp, 4), grid)[:, 0]
    torch.testing.assert_close(found[inner], grid[..., 0][inner], atol=1e-4, rtol=0)


def test_samples_read_the_level_of_their_area():
    wanted = wanted_level(uniform(16), 128, 128, 6)
    torch.testing.assert_close(wanted, torch.full_like(wanted, 3))
    grid = bent(2)
    expected = (0.5 * (sample_area(grid) * 64).log2()).clamp(0, 5)
    torch.testing.assert_close(wanted_level(grid, 128, 128, 6), expected)


def test_levels_that_are_not_needed_are_not_read():
    grid = torch.cat([uniform(16), uniform(16)])
    assert levels_needed(wanted_level(grid, 128, 128, 6)) == [range(3, 4)] * 2
    region = image(side=128, batch=2)
    levels = halve(region, 6)
    spoiled = [level * torch.nan if index != 3 else level for index, level in enumerate(levels)]
    assert torch.equal(warp(spoiled, grid), warp(levels, grid))


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_every_level_that_matters_is_named(seed):
    grid = bent(seed, batch=2)
    levels = halve(image(side=128, batch=2), 6)
    needed = levels_needed(wanted_level(grid, 128, 128, 6))
    for item in range(2):
        one = grid[item : item + 1]
        kept = [
            level[item : item + 1] if index in needed[item] else torch.full_like(level[:1], 1e9)
            for index, level in enumerate(levels)
        ]
        torch.testing.assert_close(warp(kept, one)[0], warp(levels, grid)[item])


def test_gradients_reach_the_grid():
    levels = halve(image(side=32, channels=1).double(), 3)
    grid = bent(3, side=6).double().requires_grad_()

    def read(grid):
        return warp(levels, grid)

    # The choice of the level carries none, so only one level can be checked by differences.
    assert torch.autograd.gradcheck(lambda grid: warp(levels[:1], grid), grid)
    read(grid).sum().backward()
    assert grid.grad.abs().max() > 0


def test_mixed_precision_does_not_touch_a_warp():
    levels, grid = halve(image(), 3), bent(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = warp(levels, grid)
    assert torch.equal(found, warp(levels, grid))


def test_levels_that_are_not_halves_are_refused():
    with pytest.raises(ValueError, match="level 1 is"):
        warp([image(side=32), image(side=15)], uniform(8))
    with pytest.raises(ValueError, match="1 regions and 2 grids"):
        warp([image(side=32)], uniform(8, batch=2))


def test_label_shares_are_areas_of_classes():
    labels = torch.zeros(1, 4, 4, dtype=torch.uint8)
    labels[0, :2, :2] = torch.tensor([[1, 1], [2, 255]])
    shares = halve(label_fractions(labels, 3), 2)[1]
    assert shares[0, :, 0, 0].tolist() == [0.5, 0.25, 0]
    assert shares[0, :, 1, 1].tolist() == [0, 0, 0]


def test_a_warped_label_is_the_class_where_there_is_one():
    labels = torch.full((1, 64, 64), 2, dtype=torch.uint8)
    target, labelled = warp_labels(halve(label_fractions(labels, 3), 4), bent(6))
    torch.testing.assert_close(target[:, 1], torch.ones_like(target[:, 1]))
    torch.testing.assert_close(labelled, torch.ones_like(labelled))


def test_unlabelled_pixels_do_not_dilute_a_class():
    labels = torch.zeros(1, 64, 64, dtype=torch.uint8)
    labels[:, :, 3:29] = 1
    labels[:, :, 29:40] = 255
    target, labelled = warp_labels(halve(label_fractions(labels, 2), 4), uniform(8))
    assert labelled[0, 0, 0].tolist() == pytest.approx([5 / 8, 1, 1, 5 / 8, 0, 0, 0, 0])
    torch.testing.assert_close(target[0, :, 0, 3], torch.tensor([1.0, 0.0]))
    assert target[0, :, 0, 5].tolist() == [0, 0]


def test_weighted_sums_estimate_the_region_whatever_the_grid():
    x = torch.linspace(0, 3, 256)
    region = (torch.sin(x) * torch.cos(2 * x)[:, None])[None, None]
    levels = halve(region, 6)
    grid = bent(9, side=64)
    weighted = (warp(levels, grid) * sample_area(grid)).mean()
    assert weighted.item() == pytest.approx(region.mean().item(), abs=1e-3)
