import numpy as np
import pytest

from lds_path.unwarp.pitch import sample_pitch


def uniform_grid(width, height):
    x = (np.arange(width) + 0.5) / width * 2 - 1
    y = (np.arange(height) + 0.5) / height * 2 - 1
    return np.stack(np.meshgrid(x, y), axis=-1).astype(np.float32)


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
