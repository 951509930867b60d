from __future__ import annotations

from dataclasses import asdict, replace

import numpy as np
import pytest

from lds_path.errors import StageInputError
from lds_path.formats.spread import (
    MAX_AXES,
    Spread,
    measure_spread,
    read_distances,
    write_distances,
)
from lds_path.provenance.typed_json import from_json

NONE = np.zeros((0, 6))


def draw(count, numbers=6, *, seed=0, scale=1.0, shift=0.0):
    random = np.random.default_rng(seed)
    mix = np.random.default_rng(9).normal(size=(numbers, numbers))
    return random.normal(size=(count, numbers)) @ mix * scale + shift


def test_few_of_the_same_kind_lie_beyond_the_limit_and_nearly_all_of_another():
    spread = measure_spread(draw(500), draw(200, seed=1))
    assert spread.beyond(draw(500, seed=2)) < 0.04 * 500
    assert spread.beyond(draw(500, seed=3, shift=20.0)) > 0.95 * 500


def test_with_few_numbers_the_distance_is_that_of_mahalanobis():
    values = draw(300)
    spread = measure_spread(values, NONE)
    centred = values - values.mean(axis=0)
    inverse = np.linalg.inv(np.cov(values.T))
    expected = np.sqrt(np.einsum("ni,ij,nj->n", centred, inverse, centred) / 6)
    np.testing.assert_allclose(spread.distances(values), expected, rtol=0.01)


def test_what_varies_only_in_a_direction_that_was_constant_is_found():
    values = draw(400, 40) * ([1.0] * 20 + [0.01] * 20)
    spread = measure_spread(values, np.zeros((0, 40)))
    assert len(spread.axes) == MAX_AXES
    other = values.copy()
    other[:, 30] += 30
    assert spread.beyond(other) == 400


def test_data_that_was_held_out_widens_the_limit_and_never_narrows_it():
    alone = measure_spread(draw(200), NONE)
    assert measure_spread(draw(200), draw(200, seed=1, scale=2)).limit > 1.5 * alone.limit
    assert measure_spread(draw(200), draw(200, seed=1, scale=0.1)).limit == alone.limit


def test_a_tolerance_allows_what_the_training_varied():
    values = draw(200, scale=0.01, shift=1.0)
    other = values * 1.15
    assert measure_spread(values, NONE).beyond(other) > 150
    assert measure_spread(values, NONE, tolerance=0.2).beyond(other) < 10


@pytest.mark.parametrize("count", [0, 1, 7])
def test_too_few_measurements_tell_nothing(count):
    assert measure_spread(draw(count), NONE) is None


def test_equal_measurements_have_a_spread_that_can_be_stored():
    spread = measure_spread(np.ones((20, 6)), NONE)
    assert from_json(Spread, {**asdict(spread), "axes": [list(axis) for axis in spread.axes]} | {
        name: list(getattr(spread, name)) for name in ("mean", "variances", "quantiles")
    }) == spread  # fmt: skip
    assert spread.beyond(np.ones((20, 6))) == 0


@pytest.mark.parametrize(
    "changes", [{"mean": (1.0,)}, {"variances": (1.0,)}, {"rest": 0.0}, {"limit": -1.0}]
)
def test_a_spread_that_contradicts_itself_is_refused(changes):
    with pytest.raises(ValueError, match="spread"):
        replace(measure_spread(draw(50), NONE), **changes)


def test_a_scaled_distance_is_0_in_the_middle_of_the_training_and_1_at_the_limit():
    values = draw(500)
    spread = measure_spread(values, NONE)
    scaled = spread.scaled(values)
    assert np.median(scaled) == pytest.approx(0, abs=0.01)
    other = draw(300, seed=3, scale=2)
    assert np.count_nonzero(spread.scaled(other) > 1) == spread.beyond(other) > 0


def test_distances_are_read_as_they_were_written_in_the_order_of_the_regions(tmp_path):
    path = tmp_path / "familiarity.tsv"
    write_distances(path, {7: np.array([0.1234, -1.0]), 2: np.array([3.0, 0.5])})
    found = read_distances(path)
    assert list(found) == [2, 7]
    assert found[7].tolist() == [0.123, -1.0]
    write_distances(path, {})
    assert read_distances(path) == {}
    path.write_text("region\tpatch_1\nseven\t1\n")
    with pytest.raises(StageInputError, match=r"is damaged .*; run segment again"):
        read_distances(path)
