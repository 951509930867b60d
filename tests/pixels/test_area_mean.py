from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lds_path.geometry import Size
from lds_path.pixels.area_mean import area_mean, overlap_weights
from lds_path.pixels.halving import halve


@given(st.floats(1.0, 8.0), st.floats(0.0, 1000.0), st.integers(1, 40))
def test_the_weights_of_a_pixel_sum_to_one_exactly(pitch, start, count):
    indices, weights = overlap_weights(start, pitch, count, 10**6)
    assert (weights.sum(axis=1) == 4096).all()
    assert (indices >= 0).all()


@settings(deadline=None)  # the first call compiles
@given(st.integers(0, 255), st.floats(1.0, 6.0), st.floats(0.0, 3.0))
def test_a_constant_stays_constant(value, pitch, offset):
    pixels = np.full((30, 40, 3), value, np.uint8)
    assert (area_mean(pixels, Size(6, 4), pitch=pitch, left=offset, top=offset) == value).all()


@pytest.mark.parametrize("pitch", [1.0, 1.3, 2.0, 2.1912, 3.0, 4.7])
def test_a_pixel_is_the_mean_of_the_area_that_it_covers(pitch):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    size, left, top = Size(13, 11), 1.25, 0.4
    fine = 200  # sub-positions per output pixel
    rows = np.floor(top + (np.arange(size.height * fine) + 0.5) / fine * pitch).astype(int)
    columns = np.floor(left + (np.arange(size.width * fine) + 0.5) / fine * pitch).astype(int)
    by_rows = pixels[rows].reshape(size.height, fine, 80, 3).mean(axis=1)
    expected = by_rows[:, columns].reshape(size.height, size.width, fine, 3).mean(axis=2)
    result = area_mean(pixels, size, pitch=pitch, left=left, top=top)
    # 0.5 for the last rounding, the rest for the sub-positions and the weights of 12 bits.
    assert np.abs(result.transpose(1, 2, 0) - expected).max() < 1.2


def test_the_area_mean_of_two_is_half_the_pyramid_level():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    assert np.array_equal(area_mean(pixels, Size(15, 10), pitch=2.0), halve(planes))


@pytest.mark.parametrize("shape", [(20, 30, 3), (7, 5, 3), (1, 1, 3)])
def test_interleaved_pixels_and_separate_planes_are_halved_alike(shape):
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    interleaved = pixels.transpose(2, 0, 1)
    halved = halve(interleaved)
    assert np.array_equal(halved, halve(np.ascontiguousarray(interleaved)))
    assert halved.flags.c_contiguous


def test_a_gradient_stays_a_gradient():
    pixels = np.repeat(np.arange(0, 240, dtype=np.uint8)[None, :, None], 3, axis=2)
    result = area_mean(np.repeat(pixels, 10, axis=0), Size(100, 3), pitch=2.4)
    expected = (np.arange(100) + 0.5) * 2.4 - 0.5  # the centre of the covered area
    assert np.abs(result[0, 0] - expected).max() < 0.6


def test_blocks_join_without_a_seam():
    pixels = np.random.default_rng(1).integers(0, 256, (60, 230, 3), dtype=np.uint8)
    pitch = 2.19
    whole = area_mean(pixels, Size(100, 20), pitch=pitch)
    start = int(50 * pitch)
    right = area_mean(pixels[:, start:], Size(50, 20), pitch=pitch, left=50 * pitch - start)
    assert np.abs(whole[..., 50:].astype(int) - right).max() <= 1
