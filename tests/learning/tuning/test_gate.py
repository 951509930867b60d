"""The gate lets the warp through only where its gain does not hang on the choice of regions."""

from __future__ import annotations

import numpy as np
import pytest

from lds_path.learning.tuning.gate import make_gate

STRENGTHS = (0.0, 0.5, 1.0)
REGIONS = 40


def confusions(right):
    """Return confusions of two classes for the share of each region that is right, (strengths, regions)."""
    right = np.clip(np.asarray(right), 0, 1)
    found = np.zeros((*right.shape, 3, 3))
    for number in (1, 2):
        found[..., number, number] = right / 2
        found[..., number, 3 - number] = (1 - right) / 2
    return found


def scattered(*means, spread=0.05, seed=0):
    random = np.random.default_rng(seed)
    return [mean + random.normal(0, spread, REGIONS) for mean in means]


def test_a_gain_on_all_regions_is_let_through():
    gate = make_gate(STRENGTHS, confusions(scattered(0.7, 0.74, 0.8)))
    assert gate.choose() == 1.0
    assert gate.dice == pytest.approx((0.7, 0.74, 0.8), abs=0.02)
    assert 0.05 < gate.proven[2] < 0.1


def test_half_the_strength_is_taken_where_it_gains_most():
    assert make_gate(STRENGTHS, confusions(scattered(0.7, 0.8, 0.74))).choose() == 0.5


@pytest.mark.parametrize("loss", [0.0, 0.01, 0.2])
def test_what_does_not_gain_is_not_let_through(loss):
    equal = scattered(0.7)[0]
    assert make_gate(STRENGTHS, confusions([equal, equal - loss, equal - loss])).choose() == 0.0


def test_a_gain_of_one_region_alone_proves_nothing():
    alone = np.full(REGIONS, 0.7)
    alone[0] = 1.0
    gate = make_gate(STRENGTHS, confusions([np.full(REGIONS, 0.7), np.full(REGIONS, 0.7), alone]))
    assert gate.dice[2] > gate.dice[0]
    assert gate.choose() == 0.0


def test_chance_alone_seldom_opens_it():
    opened = [
        make_gate(STRENGTHS, confusions(scattered(0.7, 0.7, 0.7, seed=seed))).choose() > 0
        for seed in range(60)
    ]
    assert np.mean(opened) <= 0.2  # two strengths may each be taken by chance


@pytest.mark.parametrize("regions", [0, 1, 7])
def test_nothing_is_proven_by_few_regions(regions):
    better = confusions([[0.7] * regions, [0.8] * regions, [0.9] * regions])
    gate = make_gate(STRENGTHS, better.reshape(3, regions, 3, 3))
    assert gate.choose() == 0.0
    assert gate.summary()["proven_gain"] == [0.0, 0.0, 0.0]


def test_a_class_that_no_region_holds_does_not_count():
    found = confusions(scattered(0.7, 0.74, 0.8))
    padded = np.zeros((*found.shape[:2], 4, 4))
    padded[..., :3, :3] = found
    assert make_gate(STRENGTHS, padded).dice == pytest.approx(make_gate(STRENGTHS, found).dice)
