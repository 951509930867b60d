"""Energies tell octaves apart, turn with the image and grow with the square of the stain."""

from __future__ import annotations

import numpy as np
import pytest

from lds_path.pixels.octaves import OCTAVES, TEXTURE_CHANNELS
from lds_path.pixels.texture import energies_of_codes, measure_texture


def checkerboard(edge, *, side=64, dark=60):
    rows, columns = np.indices((side, side)) // edge
    return np.where((rows + columns) % 2, dark, 220).astype(np.uint8)[None].repeat(3, axis=0)


def energies(planes):
    return energies_of_codes()[measure_texture(planes)]


def test_a_smooth_image_has_no_texture():
    codes = measure_texture(np.full((3, 64, 32), 150, np.uint8))
    assert codes.shape == (TEXTURE_CHANNELS, 8, 4)
    assert not codes.any()


@pytest.mark.parametrize("octave", range(OCTAVES))
def test_squares_of_an_octave_have_their_energy_in_it_alone(octave):
    found = energies(checkerboard(2**octave)).mean(axis=(1, 2)).reshape(OCTAVES, 3)
    contrast = np.log(221 / 61)
    np.testing.assert_allclose(found[octave], (contrast / 2) ** 2, rtol=0.02)
    assert not found[np.arange(OCTAVES) != octave].any()


@pytest.mark.parametrize("turns", range(4))
def test_texture_turns_with_the_image(turns):
    planes = np.random.default_rng(0).integers(0, 256, (3, 64, 64), np.uint8)
    turned = np.flip(np.rot90(planes, turns, (1, 2)), 2)
    expected = np.flip(np.rot90(measure_texture(planes), turns, (1, 2)), 2)
    # Sums in another order may round to the code beside.
    assert np.abs(measure_texture(turned).astype(int) - expected).max() <= 1


def test_each_colour_has_energies_of_its_own():
    planes = np.stack([checkerboard(1)[0], np.full((64, 64), 150, np.uint8), checkerboard(4)[0]])
    found = energies(planes).mean(axis=(1, 2)).reshape(OCTAVES, 3) > 0
    assert found.tolist() == [[True, False, False], [False, False, False], [False, False, True]]


def test_codes_hold_energies_within_a_twentieth():
    known = energies_of_codes()
    assert known[0] == 0
    assert (np.diff(known) > 0).all()
    wide = known[known > 0.02]
    assert (wide[1:] / wide[:-1]).max() < 1.05
    # Black beside white, the largest there is.
    assert energies(checkerboard(1, dark=0)).max() <= known[-1]
