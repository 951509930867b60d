from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lds_path.errors import UsageError
from lds_path.geometry import Size
from lds_path.network.density import to_density
from lds_path.network.grid import (
    jacobian,
    sample_area,
    sampling_grid,
    toward_uniform,
    uniform_grid,
)
from lds_path.network.samplers import MIN_CORNER_AREA
from lds_path.network.spec import SAMPLERS

LATTICE = Size(24, 20)


def kernel_grid(density, lattice=LATTICE, kernel_width=0.1):
    return sampling_grid(density, lattice, sampler="kernel", kernel_width=kernel_width)


def random_density(seed, contrast=6.0, shape=(1, 1, 16, 16), floor=0.05):
    generator = torch.Generator().manual_seed(seed)
    return to_density(contrast * torch.randn(shape, generator=generator), floor=floor)


def naive_kernel_grid(density, lattice, kernel_width):
    """The formula, sample by sample and cell by cell, with the mirror images written out."""
    rows, columns = density.shape
    sigma = 2 * kernel_width
    grid = np.zeros((lattice.height, lattice.width, 2))
    images = [
        (n, sign) for n in range(-2, 3) for sign in (1, -1)
    ]  # position c has the images 4n + c and 4n + 2 - c
    for i, j in np.ndindex(lattice.height, lattice.width):
        at = ((2 * j + 1) / lattice.width - 1, (2 * i + 1) / lattice.height - 1)
        total, moment = 0.0, np.zeros(2)
        for r, c in np.ndindex(rows, columns):
            centre = ((2 * c + 1) / columns - 1, (2 * r + 1) / rows - 1)
            for nx, sx in images:
                for ny, sy in images:
                    x = 4 * nx + (centre[0] if sx == 1 else 2 - centre[0])
                    y = 4 * ny + (centre[1] if sy == 1 else 2 - centre[1])
                    squared = (x - at[0]) ** 2 + (y - at[1]) ** 2
                    weight = density[r, c] * math.exp(-squared / (2 * sigma**2))
                    total += weight
                    moment += weight * np.array([x, y])
        grid[i, j] = moment / total
    return grid


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("kernel_width", [1 / 16, 0.1, 0.4, 1.5])
def test_constant_density_gives_the_uniform_grid(sampler, kernel_width):
    density = torch.full((2, 1, 16, 16), 1.0)
    grid = sampling_grid(density, LATTICE, sampler=sampler, kernel_width=kernel_width)
    expected = uniform_grid(LATTICE, density).expand(2, -1, -1, -1)
    torch.testing.assert_close(grid, expected, atol=1e-5, rtol=0)


def test_the_uniform_grid_holds_the_centres_of_equal_areas():
    grid = uniform_grid(Size(4, 2), torch.zeros(1))
    assert grid[0, 0, :, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert grid[0, :, 0, 1].tolist() == [-0.5, 0.5]


def test_the_kernel_equals_a_naive_double_loop():
    density = random_density(3, shape=(1, 1, 5, 6)).double()
    lattice = Size(7, 4)
    expected = naive_kernel_grid(density[0, 0].numpy(), lattice, 0.25)
    found = kernel_grid(density, lattice, 0.25)[0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)


def corner_turns(grid):
    """The area that the sides at each corner of each cell span, as a share of an upright cell's."""
    x, y = grid[0].double().unbind(-1)
    across, down = (x.diff(dim=1), y.diff(dim=1)), (x.diff(dim=0), y.diff(dim=0))
    assert across[0].min() > 0
    assert down[1].min() > 0
    shares = [
        1 - across[1][rows] * down[0][:, columns] / (across[0][rows] * down[1][:, columns])
        for rows in (slice(None, -1), slice(1, None))
        for columns in (slice(None, -1), slice(1, None))
    ]
    return torch.stack(shares)


# Without the share of the uniform grid a cell of this one is turned over.
FOLDING = {"seed": 22610, "contrast": 9.0, "kernel_width": 0.0625, "floor": 0.015625}


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    contrast=st.floats(0, 30),
    kernel_width=st.floats(1 / 16, 0.6),
    floor=st.floats(0.01, 1),
    lattice=st.sampled_from([LATTICE, Size(8, 8), Size(9, 40)]),
)
@example(**FOLDING, lattice=LATTICE)
@example(seed=367, contrast=15.0, kernel_width=1 / 16, floor=0.01, lattice=Size(16, 16))
def test_a_grid_never_folds_nor_leaves_the_region(seed, contrast, kernel_width, floor, lattice):
    density = random_density(seed, contrast, floor=floor)
    grid = kernel_grid(density, lattice, kernel_width=kernel_width)
    assert grid.abs().max() < 1
    assert corner_turns(grid).min() > 0


@given(st.integers(0, 500), st.sampled_from(SAMPLERS), st.floats(0, 1))
@settings(max_examples=60)
def test_a_grid_of_any_strength_never_folds_nor_leaves_the_region(seed, sampler, strength):
    density = random_density(seed, contrast=6.0)
    grid = toward_uniform(sampling_grid(density.double(), LATTICE, sampler=sampler), strength)
    assert grid.abs().max() < 1
    assert corner_turns(grid).min() > 0


def test_strengths_differ_by_region_and_reach_from_the_uniform_to_the_whole_grid():
    grid = sampling_grid(random_density(3).expand(3, -1, -1, -1), LATTICE, sampler="separable")
    found = toward_uniform(grid, torch.tensor([0.0, 0.5, 1.0]))
    uniform = uniform_grid(LATTICE, grid)[0]
    torch.testing.assert_close(found[0], uniform)
    torch.testing.assert_close(found[1], (uniform + grid[0]) / 2)
    torch.testing.assert_close(found[2], grid[0])


def test_a_grid_that_would_fold_goes_as_far_as_it_may():
    density = random_density(FOLDING["seed"], FOLDING["contrast"], floor=FOLDING["floor"])
    grid = kernel_grid(density.double(), kernel_width=FOLDING["kernel_width"])
    assert corner_turns(grid).min().item() == pytest.approx(MIN_CORNER_AREA, rel=1e-6)


def test_a_grid_that_would_fold_has_gradients():
    density = random_density(60, 15.0, shape=(1, 1, 6, 6), floor=0.01).double().requires_grad_()

    def grid(density):
        return kernel_grid(density, Size(4, 4), 1 / 6)

    assert corner_turns(grid(density)).min().item() == pytest.approx(MIN_CORNER_AREA, rel=1e-6)
    assert torch.autograd.gradcheck(grid, density)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), kernel_width=st.floats(1 / 16, 0.4))
@example(seed=3888, kernel_width=1 / 16)
def test_a_grid_reaches_from_edge_to_edge(seed, kernel_width):
    # The outermost samples of a fine lattice lie half a step and a step and a half from the edge:
    # the line through them meets the edge where the edge maps to itself.
    grid = kernel_grid(random_density(seed), Size(512, 512), kernel_width)[0]
    left, right = grid[:, :2, 0] + 1, 1 - grid[:, [-1, -2], 0]
    top, bottom = grid[:2, :, 1].T + 1, 1 - grid[[-1, -2], :, 1].T
    for near, far in (values.unbind(1) for values in (left, right, top, bottom)):
        assert near.min() > 0
        assert ((1.5 * near - 0.5 * far).abs() < 0.01 * near).all()


def test_dense_places_draw_samples():
    logits = torch.zeros(1, 1, 32, 32)
    logits[..., 8, 20] = 6
    density = to_density(logits, floor=0.1)
    area = sample_area(kernel_grid(density, Size(64, 64)))[0, 0]
    assert area[17, 41] < 0.7
    assert area[17, 41] < area[48, 10]
    assert area[48, 10] > 0.9


def test_areas_add_up_to_the_region():
    area = sample_area(kernel_grid(random_density(5), Size(128, 128)))
    assert area.min() > 0
    assert area.mean().item() == pytest.approx(1, abs=2e-3)


def test_the_jacobian_of_the_uniform_grid_is_the_identity():
    derivative = jacobian(uniform_grid(LATTICE, torch.zeros(1, dtype=torch.float64)))
    identity = torch.eye(2, dtype=torch.float64)[None, :, :, None, None].expand_as(derivative)
    torch.testing.assert_close(derivative, identity)


def test_a_batch_equals_its_members_one_by_one():
    density = random_density(7, shape=(3, 1, 16, 16))
    together = kernel_grid(density)
    alone = torch.cat([kernel_grid(one[None]) for one in density])
    torch.testing.assert_close(together, alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("turn", ["flip", "transpose"])
def test_mirroring_the_density_mirrors_the_grid(turn):
    density = random_density(11)
    lattice = Size(16, 16)
    grid = kernel_grid(density, lattice)
    if turn == "flip":
        other = kernel_grid(density.flip(-1), lattice).flip(2)
        expected = torch.stack((-other[..., 0], other[..., 1]), dim=-1)
    else:
        expected = kernel_grid(density.transpose(-1, -2), lattice).transpose(1, 2).flip(-1)
    torch.testing.assert_close(grid, expected, atol=1e-5, rtol=0)


def test_gradients_are_those_of_finite_differences():
    density = (torch.rand(1, 1, 4, 5, dtype=torch.float64) + 0.2).requires_grad_()

    def grid(density):
        return kernel_grid(density, Size(3, 4), 0.3)

    assert torch.autograd.gradcheck(grid, density)
    assert torch.autograd.gradcheck(lambda density: sample_area(grid(density)), density)


def test_positions_stay_float32_under_mixed_precision():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        grid = kernel_grid(random_density(1).bfloat16())
    assert grid.dtype == torch.float32


def test_an_unknown_sampler_is_named_with_those_there_are():
    with pytest.raises(UsageError, match="'spiral' is unknown; there are uniform, kernel"):
        sampling_grid(torch.ones(1, 1, 8, 8), LATTICE, sampler="spiral", kernel_width=0.2)


@pytest.mark.parametrize("kernel_width", [0.0, 0.1, float("nan")])
def test_a_kernel_below_one_cell_is_refused(kernel_width):
    with pytest.raises(UsageError, match="below one cell"):
        kernel_grid(torch.ones(1, 1, 8, 8), kernel_width=kernel_width)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_gives_the_same_grid():
    density = random_density(2)
    found = kernel_grid(density.cuda()).cpu()
    torch.testing.assert_close(found, kernel_grid(density), atol=1e-5, rtol=0)
