"""Properties of every sampler family, each over a thousand random densities."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lds_path.geometry import Size
from lds_path.network.density import to_density
from lds_path.network.grid import sample_area, sampling_grid, uniform_grid
from lds_path.network.samplers import limit_peaks
from lds_path.network.spec import SAMPLERS
from lds_path.unwarp.blend import Blend
from lds_path.unwarp.mesh import build_mesh

COUNT = 1000
LATTICE = Size(24, 20)
REGION = Size(192, 160)
FAMILIES = [
    ("uniform", {}),
    ("kernel", {"kernel_width": 0.09}),
    ("kernel", {"kernel_width": 0.3, "max_zoom": 1.5}),
    ("separable", {}),
    ("separable", {"smoothing": 0.05, "max_zoom": 3.0}),
    ("knothe-rosenblatt", {}),
    ("knothe-rosenblatt", {"smoothing": 0.05, "max_zoom": 3.0}),
]
LEARNED = [family for family in FAMILIES if family[0] != "uniform"]


def random_densities(count=COUNT, shape=(12, 16), seed=0, dtype=torch.float32):
    """From nearly constant to a few cells that hold nearly everything, floors from 1 % to 50 %."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn((count, 1, *shape), generator=generator, dtype=dtype)
    contrast = 10 * torch.rand((count, 1, 1, 1), generator=generator, dtype=dtype)
    floors = 0.01 + 0.49 * torch.rand((count, 1, 1, 1), generator=generator, dtype=dtype)
    return to_density(contrast * logits, floor=0.0) * (1 - floors) + floors


def make_grid(family, density, lattice=LATTICE):
    sampler, options = family
    return sampling_grid(density, lattice, sampler=sampler, **options)


def corner_jacobians(grid):
    """The determinant at the four corners of every cell, in units of the uniform grid's."""
    x, y = grid.double().unbind(-1)
    across, down = (x.diff(dim=2), y.diff(dim=2)), (x.diff(dim=1), y.diff(dim=1))
    unit = 4 / (grid.shape[1] * grid.shape[2])
    turns = [
        across[0][:, rows] * down[1][:, :, columns] - across[1][:, rows] * down[0][:, :, columns]
        for rows in (slice(None, -1), slice(1, None))
        for columns in (slice(None, -1), slice(1, None))
    ]
    return torch.stack(turns) / unit


def pitches(grid):
    """The way between neighbours along the rows and the columns, in uniform pitches."""
    height, width = grid.shape[1:3]
    return grid[..., 0].diff(dim=2) * (width / 2), grid[..., 1].diff(dim=1) * (height / 2)


def test_every_sampler_is_tried():
    assert {name for name, _ in FAMILIES} == set(SAMPLERS)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("level", [1e-3, 1.0, 700.0])
def test_constant_density_gives_the_uniform_grid(family, level):
    density = torch.full((2, 1, 12, 16), level)
    for lattice in (LATTICE, Size(7, 5), Size(256, 300)):
        expected = uniform_grid(lattice, density).expand(2, -1, -1, -1)
        found = make_grid(family, density, lattice)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_cell_folds_and_no_sample_leaves_the_region(family):
    grid = make_grid(family, random_densities())
    assert corner_jacobians(grid).min() > 0
    assert grid.abs().max() < 1
    across, down = pitches(grid)
    assert across.min() > 0
    assert down.min() > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_every_pixel_is_covered_and_its_place_comes_back(family):
    """The mesh, given the places of its nodes as scores, returns each pixel its own centre."""
    grids = make_grid(family, random_densities()).numpy()
    centres = np.stack(
        np.meshgrid(np.arange(REGION.width) + 0.5, np.arange(REGION.height) + 0.5), axis=-1
    )
    ones = np.ones(max(REGION.width, REGION.height), np.float32)
    scores = np.zeros((2, LATTICE.height, LATTICE.width), np.float32)
    worst = 0.0
    for grid in grids:
        mesh = build_mesh(scores, grid, REGION)
        mesh.scores[:] = mesh.nodes
        blend = Blend(REGION, 2)
        blend.add(mesh, ones[: REGION.width], ones[: REGION.height])
        assert blend.total.min() == 1
        assert blend.total.max() == 1
        worst = max(worst, float(np.abs(blend.mean - centres).max()))
    assert worst < 0.05


@pytest.mark.parametrize("family", FAMILIES)
def test_edges_map_to_edges(family):
    # Of a fine lattice the outermost samples lie next to the edge.
    density = (random_densities() + 1) / 2
    x = make_grid(family, density, Size(400, 3))[..., 0]
    y = make_grid(family, density, Size(3, 400))[..., 1]
    for outer in (x[:, :, 0], -x[:, :, -1], y[:, 0], -y[:, -1]):
        assert (outer + 1).min() > 0
        assert (outer + 1).max() < 0.1


@pytest.mark.parametrize("family", LEARNED)
def test_gradients_are_those_of_finite_differences(family):
    sampler, options = family
    density = random_densities(1, (4, 5), dtype=torch.float64).requires_grad_()
    options = options | {"kernel_width": 0.3}

    def grid(density):
        return sampling_grid(density, Size(3, 4), sampler=sampler, **options)

    assert torch.autograd.gradcheck(grid, density)
    assert torch.autograd.gradcheck(lambda density: sample_area(grid(density)), density)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_equals_its_members_one_by_one(family):
    density = random_densities()
    together = make_grid(family, density)
    for item in range(0, COUNT, 25):
        alone = make_grid(family, density[item : item + 1])
        torch.testing.assert_close(together[item : item + 1], alone, atol=2e-6, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_mirroring_the_density_mirrors_the_grid(family):
    density = random_densities()
    mirrored = make_grid(family, density.flip(-1).flip(-2)).flip(1).flip(2)
    torch.testing.assert_close(make_grid(family, density), -mirrored, atol=2e-5, rtol=0)


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("max_zoom", [1.0, 1.2, 2.0, 4.0])
def test_no_pitch_is_less_than_the_zoom_allows(sampler, max_zoom):
    family = (sampler, {"max_zoom": max_zoom})
    for width, height in ((24, 20), (300, 2)):
        grid = make_grid(family, random_densities(), Size(width, height))
        for pitch in pitches(grid):
            assert pitch.min() >= (1 - 2e-4) / max_zoom


@pytest.mark.parametrize("sampler", ["kernel", "separable", "knothe-rosenblatt"])
def test_a_zoom_that_is_not_reached_changes_nothing(sampler):
    density = random_densities()
    free = make_grid((sampler, {}), density)
    assert min(pitch.min() for pitch in pitches(free)) < 0.2
    bound = make_grid((sampler, {"max_zoom": 1e4}), density)
    torch.testing.assert_close(bound, free, atol=1e-6, rtol=0)


def test_each_sample_of_knothe_rosenblatt_stands_for_the_same_mass():
    density = to_density(torch.randn(1, 1, 8, 8, generator=torch.manual_seed(1)), floor=0.1)
    grid = make_grid(("knothe-rosenblatt", {}), density, Size(512, 512))
    found = torch.nn.functional.grid_sample(density, grid, mode="nearest", align_corners=False)
    mass = (found * sample_area(grid))[0, 0]
    # Where a cell of the density ends, the area is that of two cells.
    assert ((mass - 1).abs() < 1e-2).float().mean() > 0.9
    assert mass.mean().item() == pytest.approx(1, abs=0.02)


def test_the_separable_map_inverts_the_marginal_distributions():
    density = random_densities(1)
    grid = make_grid(("separable", {}), density)[0].double().numpy()
    cells = density[0, 0].double().numpy()
    for axis, count, found in ((0, 24, grid[0, :, 0]), (1, 20, grid[:, 0, 1])):
        reached = np.concatenate(([0], np.cumsum(cells.sum(axis=axis))))
        edges = np.linspace(-1, 1, len(reached))
        expected = np.interp((np.arange(count) + 0.5) / count, reached / reached[-1], edges)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_knothe_rosenblatt_is_separable_where_the_density_is():
    across, down = random_densities(2)[:, 0].unbind()
    density = (down.mean(dim=1, keepdim=True) * across.mean(dim=0))[None, None]
    grids = [make_grid((name, {}), density) for name in ("separable", "knothe-rosenblatt")]
    torch.testing.assert_close(*grids, atol=1e-5, rtol=0)


def test_smoothing_calms_the_columns():
    density = random_densities(20)
    rough, smooth = (
        make_grid(("knothe-rosenblatt", {"smoothing": width}), density)[..., 0].diff(dim=1).abs()
        for width in (0.0, 0.1)
    )
    assert smooth.mean() < 0.5 * rough.mean()


def test_the_network_can_learn_after_a_grid_made_for_inference():
    density, family = random_densities(1), ("kernel", {"kernel_width": 0.123})
    with torch.inference_mode():
        expected = make_grid(family, density)
    grid = make_grid(family, density.requires_grad_())
    grid[..., 0].square().sum().backward()
    torch.testing.assert_close(grid.detach(), expected.clone())
    assert density.grad.abs().max() > 0


@pytest.mark.parametrize("most", [1.0, 1.3, 3.0, 50.0])
def test_limited_peaks_keep_mean_and_proportions(most):
    mass = random_densities(dtype=torch.float64)[:, 0, 0]
    mass = mass / mass.mean(dim=1, keepdim=True)
    limited = limit_peaks(mass, most)
    torch.testing.assert_close(limited.mean(dim=1), torch.ones(COUNT, dtype=torch.float64))
    assert limited.max() <= most * (1 + 1e-5)
    scale = (limited / mass).amax(dim=1, keepdim=True)
    torch.testing.assert_close(limited, (mass * scale).clamp_max(most), atol=1e-5, rtol=1e-5)
