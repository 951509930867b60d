"""Filters of 3 x 3 pixels that are fitted to pixels known to be right."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from lds_path.pixels.detail_filter import filter_detail, fit_detail_filter

BLUR = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16


def image(seed=0, side=64):
    noise = np.random.default_rng(seed).normal(0, 90, (3, side, side))
    smooth = ndimage.gaussian_filter(noise, (0, 1.5, 1.5)) * 4 + 128
    return smooth.clip(0, 255).round().astype(np.uint8)


def blurred(planes):
    return np.stack([ndimage.convolve(band.astype(np.float32), BLUR) for band in planes])


def test_a_symmetric_filter_of_3_x_3_is_found():
    weights = fit_detail_filter([image()], [blurred(image())])
    expected = np.zeros((3, 2, 3))
    for band in range(3):
        expected[band, :, band] = 2 / 16, 1 / 16
    np.testing.assert_allclose(weights / 4096, expected, atol=1e-3)
    other = image(1)
    difference = filter_detail(other, weights) - blurred(other)
    assert np.abs(difference[:, 1:-1, 1:-1]).max() < 1.5


def test_noise_of_an_image_is_reduced():
    right = image().astype(np.float32)
    noise = np.random.default_rng(2).normal(0, 8, right.shape)
    found = (right + noise).clip(0, 255).round().astype(np.uint8)
    filtered = filter_detail(found, fit_detail_filter([found], [right]))
    assert np.square(filtered - right).mean() < 0.7 * np.square(found - right).mean()


def test_a_shift_cannot_be_mended():
    right = image().astype(np.float32)
    found = np.roll(image(), 1, axis=2)
    filtered = filter_detail(found, fit_detail_filter([found], [right]))
    assert np.square(filtered - right).mean() > 0.5 * np.square(found - right).mean()


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (20, 200, 90)])
def test_a_colour_without_detail_stays_as_it_is(colour):
    random = np.random.default_rng(3)
    weights = random.integers(-4000, 4000, (3, 2, 3)).astype(np.int32)
    planes = np.broadcast_to(np.array(colour, np.uint8)[:, None, None], (3, 5, 7))
    np.testing.assert_array_equal(filter_detail(planes, weights), planes)


def test_an_image_without_detail_gives_a_filter_that_does_nothing():
    flat = np.full((3, 8, 8), 90, np.uint8)
    weights = fit_detail_filter([flat], [flat.astype(np.float32) + 9])
    np.testing.assert_array_equal(filter_detail(image(), weights), image())
