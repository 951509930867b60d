from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import LinearNDInterpolator, RegularGridInterpolator

from lds_path.geometry import Size
from lds_path.unwarp.blend import Blend, blend_ramp, unwarp
from lds_path.unwarp.mesh import build_mesh


@pytest.fixture(scope="module", autouse=True)
def compiled():
    """Compile before hypothesis looks at the clock."""
    blend = Blend(Size(2, 2), 1)
    ones = np.ones(2, np.float32)
    grid = np.zeros((1, 1, 2), np.float32)
    blend.add(build_mesh(np.ones((1, 1, 1), np.float32), grid, Size(2, 2)), ones, ones)


def uniform_grid(lattice):
    x = (np.arange(lattice.width) + 0.5) / lattice.width * 2 - 1
    y = (np.arange(lattice.height) + 0.5) / lattice.height * 2 - 1
    return np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)


def smooth_grid(lattice, strength=0.3):
    x, y = np.moveaxis(uniform_grid(lattice).astype(np.float64), -1, 0)
    dx = strength * np.sin(np.pi * x) / np.pi * np.cos(2 * y)
    dy = strength * np.sin(np.pi * y) / np.pi * np.cos(2 * x)
    return np.stack([x + dx, y + dy], axis=-1).astype(np.float32)


def random_monotone_grid(lattice, seed):
    """Rows at random heights; in each row, random positions from left to right."""
    random = np.random.default_rng(seed)
    steps = random.exponential(1, (lattice.height, lattice.width + 1)) + 1e-3
    x = (np.cumsum(steps, axis=1) / steps.sum(axis=1, keepdims=True))[:, :-1] * 2 - 1
    steps = random.exponential(1, lattice.height + 1) + 1e-3
    y = (np.cumsum(steps) / steps.sum())[:-1] * 2 - 1
    return np.stack([x, np.broadcast_to(y[:, None], x.shape)], axis=-1).astype(np.float32)


def pixel_centers(size):
    return np.meshgrid(np.arange(size.width) + 0.5, np.arange(size.height) + 0.5)


def positions(grid, size):
    """Return the sample positions in pixels as two scores, (2, h, w)."""
    return ((grid + 1) / 2 * (size.width, size.height)).transpose(2, 0, 1).astype(np.float32)


def inside(grid, size):
    """Return which pixels lie well within the outermost samples."""
    x, y = pixel_centers(size)
    px, py = positions(grid, size)
    return (
        (x > px[:, 0].max())
        & (x < px[:, -1].min())
        & (y > py[0].max())
        & (y < py[-1].min())
    )  # fmt: skip


lattices = st.builds(Size, st.integers(1, 12), st.integers(1, 12))
sizes = st.builds(Size, st.integers(1, 70), st.integers(1, 70))
seeds = st.integers(0, 2**32 - 1)


@given(lattice=lattices, size=sizes, seed=seeds, value=st.floats(0, 255, width=32))
def test_a_constant_comes_back_exactly(lattice, size, seed, value):
    scores = np.full((2, lattice.height, lattice.width), value, np.float32)
    found = unwarp(scores, random_monotone_grid(lattice, seed), size)
    assert found.shape == (2, size.height, size.width)
    assert np.all(found == np.float32(value))


@given(lattice=lattices, size=sizes, seed=seeds)
def test_every_pixel_belongs_to_exactly_one_triangle(lattice, size, seed):
    blend = Blend(size, 1)
    scores = np.ones((1, lattice.height, lattice.width), np.float32)
    mesh = build_mesh(scores, random_monotone_grid(lattice, seed), size)
    blend.add(mesh, np.ones(size.width, np.float32), np.ones(size.height, np.float32))
    assert np.all(blend.total == 1)


@given(lattice=lattices, size=sizes, seed=seeds)
def test_even_a_tangled_grid_leaves_no_pixel_out_and_no_score_out_of_range(lattice, size, seed):
    random = np.random.default_rng(seed)
    grid = random.uniform(-1, 1, (lattice.height, lattice.width, 2)).astype(np.float32)
    scores = random.uniform(0, 1, (2, lattice.height, lattice.width)).astype(np.float32)
    blend = Blend(size, 2)
    mesh = build_mesh(scores, grid, size)
    blend.add(mesh, np.ones(size.width, np.float32), np.ones(size.height, np.float32))
    assert np.all(blend.total >= 1)
    assert np.all(np.isfinite(blend.mean))
    assert blend.mean.min() >= scores.min() - 1e-3
    assert blend.mean.max() <= scores.max() + 1e-3


def test_a_grid_that_collapsed_to_a_point_is_harmless():
    scores = np.random.default_rng(0).uniform(0, 1, (1, 5, 5)).astype(np.float32)
    found = unwarp(scores, np.full((5, 5, 2), 0.3, np.float32), Size(40, 30))
    assert np.all((found >= 0) & (found <= 1))


@given(
    seed=seeds,
    slope=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
)
def test_a_mesh_reproduces_an_affine_field(seed, slope):
    size, lattice = Size(90, 70), Size(9, 8)
    grid = random_monotone_grid(lattice, seed)
    px, py = positions(grid.astype(np.float64), size)
    found = unwarp((px / 90 * slope[0] + py / 70 * slope[1])[None], grid, size)[0]
    x, y = pixel_centers(size)
    expected = x / 90 * slope[0] + y / 70 * slope[1]
    within = inside(grid, size)
    np.testing.assert_allclose(found[within], expected[within], atol=1e-5)


def test_positions_come_back_to_a_twentieth_of_a_pixel():
    size, lattice = Size(512, 384), Size(64, 48)
    grid = smooth_grid(lattice)
    stored = np.rint((grid.astype(np.float64) + 1) / 2 * 65535)  # as predictions keep it
    found = unwarp(positions(grid, size), (stored / 65535 * 2 - 1).astype(np.float32), size)
    within = inside(grid, size)
    for axis, expected in enumerate(pixel_centers(size)):
        assert np.abs(found[axis] - expected)[within].max() < 0.05


def test_between_the_samples_of_a_uniform_grid_it_is_close_to_bilinear():
    size, lattice = Size(160, 120), Size(20, 15)
    y, x = np.mgrid[:15, :20]
    scores = np.sin(x / 4) * np.cos(y / 5)
    found = unwarp(scores[None].astype(np.float32), uniform_grid(lattice), size)[0]
    bilinear = RegularGridInterpolator((np.arange(15) * 8 + 4, np.arange(20) * 8 + 4), scores)
    px, py = pixel_centers(size)
    within = inside(uniform_grid(lattice), size)
    expected = bilinear((py[within], px[within]))
    assert np.abs(found[within] - expected).max() < 0.02


def test_it_agrees_with_a_general_interpolation_of_scattered_samples():
    size, lattice = Size(256, 200), Size(40, 32)
    grid = smooth_grid(lattice, strength=0.4)
    px, py = positions(grid, size)
    scores = np.sin(px / 20) + np.cos(py / 15)
    found = unwarp(scores[None], grid, size)[0]
    points = np.stack([px.ravel(), py.ravel()], axis=-1)
    within = inside(grid, size)
    x, y = pixel_centers(size)
    expected = LinearNDInterpolator(points, scores.ravel())(x[within], y[within])
    difference = np.abs(found[within] - expected)
    assert np.median(difference) < 1e-6  # the same triangles nearly everywhere
    assert difference.max() < 0.03


def test_beyond_the_outermost_samples_their_scores_go_on():
    scores = np.array([[[3, 7]]], np.float32)
    found = unwarp(scores, uniform_grid(Size(2, 1)), Size(8, 4))[0]
    np.testing.assert_array_equal(found[:, :2], 3)
    np.testing.assert_array_equal(found[:, 6:], 7)


@given(
    seed=seeds,
    left=st.integers(-20, 60),
    top=st.integers(-20, 60),
    window=st.builds(Size, st.integers(1, 40), st.integers(1, 40)),
)
def test_a_window_reads_as_the_same_part_of_the_whole(seed, left, top, window):
    size, lattice = Size(60, 50), Size(7, 6)
    scores = np.random.default_rng(seed).uniform(0, 1, (2, 6, 7)).astype(np.float32)
    grid = random_monotone_grid(lattice, seed)
    whole = np.pad(unwarp(scores, grid, size), ((0, 0), (20, 100), (20, 100)))
    blend = Blend(window, 2)
    ones = np.ones(40, np.float32)
    mesh = build_mesh(scores, grid, size)
    blend.add(mesh, ones[: window.width], ones[: window.height], left=left, top=top)
    expected = whole[:, 20 + top :, 20 + left :][:, : window.height, : window.width]
    np.testing.assert_allclose(blend.mean.transpose(2, 0, 1), expected, atol=1e-5)
    covered = np.pad(np.ones((50, 60)), ((20, 100), (20, 100)))[20 + top :, 20 + left :]
    np.testing.assert_array_equal(blend.total, covered[: window.height, : window.width])


@pytest.mark.parametrize("scale", [1.0, 1.7, 4.0, 16.0])
def test_at_a_coarser_scale_each_pixel_has_the_score_at_its_center(scale):
    size, lattice = Size(400, 320), Size(50, 40)
    grid = smooth_grid(lattice)
    window = Size(int(200 / scale), int(160 / scale))
    blend = Blend(window, 2)
    ones = np.ones(400, np.float32)
    blend.add(
        build_mesh(positions(grid, size), grid, size),
        ones[: window.width],
        ones[: window.height],
        left=90.25,
        top=70.5,
        scale=scale,
    )
    x, y = pixel_centers(window)
    np.testing.assert_allclose(blend.mean[..., 0], 90.25 + x * scale, atol=0.01)
    np.testing.assert_allclose(blend.mean[..., 1], 70.5 + y * scale, atol=0.01)


def test_bytes_and_floats_give_the_same():
    scores = np.random.default_rng(1).integers(0, 256, (3, 8, 8), np.uint8)
    grid = smooth_grid(Size(8, 8))
    found = unwarp(scores, grid, Size(30, 30))
    np.testing.assert_array_equal(found, unwarp(scores.astype(np.float32), grid, Size(30, 30)))


@given(
    value=st.floats(0, 255, width=32),
    starts=st.lists(st.integers(-30, 30), min_size=1, max_size=6),
    overlap=st.integers(0, 60),
    seed=seeds,
)
def test_overlapping_regions_give_a_constant_back_exactly(value, starts, overlap, seed):
    size, lattice, window = Size(40, 40), Size(5, 5), Size(32, 24)
    scores = np.full((1, 5, 5), value, np.float32)
    mesh = build_mesh(scores, random_monotone_grid(lattice, seed), size)
    blend = Blend(window, 1)
    for start in starts:
        weights = [
            blend_ramp(40, overlap, count, start=-start, scale=1)
            for count in (window.width, window.height)
        ]
        blend.add(mesh, *weights, left=-start, top=-start)
    assert np.all(blend.mean[blend.total > 0] == np.float32(value))
    assert np.all(blend.mean[blend.total == 0] == 0)


def test_two_regions_are_weighted_by_their_distance_from_the_edge():
    size, overlap = Size(20, 4), 8
    meshes = [
        build_mesh(np.full((1, 1, 1), value, np.float32), uniform_grid(Size(1, 1)), size)
        for value in (0, 100)
    ]
    blend = Blend(Size(32, 4), 1)
    rows = np.ones(4, np.float32)
    for start, mesh in zip((0, 12), meshes, strict=True):
        blend.add(mesh, blend_ramp(20, overlap, 32, start=-start, scale=1), rows, left=-start)
    expected = (np.arange(8) + 0.5) / 8 * 100
    np.testing.assert_allclose(blend.mean[0, :, 0], [*[0] * 12, *expected, *[100] * 12], atol=1e-4)


@given(length=st.integers(1, 200), overlap=st.integers(0, 100))
def test_a_ramp_rises_from_both_edges_and_is_never_zero(length, overlap):
    ramp = blend_ramp(length, overlap, length, start=0, scale=1)
    from_edge = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    expected = [min(distance / max(overlap, 1), 1) for distance in from_edge]
    np.testing.assert_allclose(ramp, expected, rtol=1e-6)
    assert ramp.min() > 0


def test_threads_give_the_same_as_one():
    size = Size(128, 128)
    scores = np.random.default_rng(1).integers(0, 256, (3, 32, 32), np.uint8)
    grid = smooth_grid(Size(32, 32))
    expected = unwarp(scores, grid, size)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: unwarp(scores, grid, size), range(8)):
            np.testing.assert_array_equal(found, expected)


def test_scores_and_grid_of_different_lattices_are_refused():
    with pytest.raises(ValueError, match=r"\(2, 4, 5\).*\(5, 4, 2\)"):
        unwarp(np.ones((2, 4, 5), np.float32), np.zeros((5, 4, 2), np.float32), Size(8, 8))
