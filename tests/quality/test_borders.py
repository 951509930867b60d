"""Samples and tissue on borders are counted."""

import numpy as np
import pytest

from lds_path.quality.borders import count_on_borders


def halves():
    labels = np.ones((100, 100), np.uint8)
    labels[:, 50:] = 2
    return labels


def grid(axis):
    return np.stack(np.meshgrid(axis, axis), axis=-1).astype(np.float32)


def test_the_uniform_grid_has_the_share_of_the_area():
    uniform = (np.arange(50) + 0.5) / 25 - 1
    on_border, samples, border, area = count_on_borders(halves(), grid(uniform), 5)
    assert border / area == pytest.approx(0.1)
    assert on_border / samples == pytest.approx(0.1, abs=0.03)


def test_a_grid_that_crowds_at_the_border_has_more():
    even = (np.arange(50) + 0.5) / 25 - 1
    on_border, samples, border, area = count_on_borders(halves(), grid(even**3), 5)
    assert on_border / samples > 3 * border / area


def test_samples_without_a_label_do_not_count():
    labels = halves()
    labels[:50] = 0
    even = (np.arange(50) + 0.5) / 25 - 1
    _, samples, _, area = count_on_borders(labels, grid(even), 5)
    assert samples == 25 * 50
    assert area == 5000
