from __future__ import annotations

import numpy as np
import pytest

from lds_path.learning.data.balance import draw_regions, region_chances

COUNTS = np.array([[1000, 0, 0], [900, 100, 0], [1000, 0, 0]])


def test_every_class_is_shown_equally_often():
    chances = region_chances(COUNTS)
    assert chances.sum() == pytest.approx(1)
    assert chances[1] == pytest.approx(0.5 + 0.5 * 900 / 2900)


def test_without_balance_every_region_is_shown_equally_often():
    assert region_chances(COUNTS, balance=0).tolist() == pytest.approx([1 / 3] * 3)
    half = region_chances(COUNTS, balance=0.5)
    assert half.tolist() == pytest.approx(((region_chances(COUNTS) + 1 / 3) / 2).tolist())


def test_regions_are_drawn_by_their_chances():
    drawn = [draw_regions(region_chances(COUNTS), batch_size=8, seed=1, step=s) for s in range(500)]
    assert np.mean(np.array(drawn) == 1) == pytest.approx(region_chances(COUNTS)[1], abs=0.03)
