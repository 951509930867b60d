import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from lds_path.errors import UsageError
from lds_path.inference.allocation import allocate, falling_rates

SAMPLES = np.array([64, 96, 128, 192, 256, 384, 512]) ** 2


@st.composite
def cases(draw, *, most=12):
    """Return errors, samples and a budget that suffices for the lowest rung."""
    regions, rungs = draw(st.integers(1, most)), draw(st.integers(1, 7))
    errors = draw(arrays(np.float64, (regions, rungs), elements=st.integers(0, 50)))
    steps = draw(arrays(np.int64, rungs, elements=st.integers(1, 40)))
    samples = np.cumsum(steps)
    least, greatest = regions * samples[0], regions * samples[-1]
    return errors, samples, draw(st.integers(int(least), int(greatest) + 10))


@given(cases())
def test_an_allocation_never_exceeds_its_budget_and_every_region_gets_a_lattice(case):
    errors, samples, budget = case
    chosen = allocate(errors, samples, budget)
    assert samples[chosen].sum() <= budget
    assert chosen.shape == (len(errors),)
    assert (chosen >= 0).all()
    assert (chosen < len(samples)).all()


@given(cases())
def test_what_is_left_of_a_budget_is_less_than_any_next_step(case):
    errors, samples, budget = case
    chosen = allocate(errors, samples, budget)
    left = budget - samples[chosen].sum()
    upper = chosen[chosen < len(samples) - 1]
    assert (samples[upper + 1] - samples[upper] > left).all()


@given(cases(), st.data())
def test_a_region_that_gains_more_by_every_step_never_gets_less(case, data):
    errors, samples, budget = case
    less, more = (data.draw(st.integers(0, len(errors) - 1)) for _ in range(2))
    extra = data.draw(arrays(np.float64, len(samples) - 1, elements=st.integers(0, 9)))
    gains = -np.diff(errors[less]) + extra
    errors[more] = 1000 - np.concatenate(([0.0], np.cumsum(gains)))
    if more == less:
        return
    chosen = allocate(errors, samples, budget)
    if extra.any():
        assert chosen[more] >= chosen[less]


@given(cases(), st.data())
def test_the_order_of_the_regions_changes_nothing_where_no_two_are_alike(case, data):
    errors, samples, budget = case
    errors = errors + np.arange(errors.size).reshape(errors.shape) * 1e-3
    order = np.array(data.draw(st.permutations(range(len(errors)))))
    rates = falling_rates(errors, np.diff(samples))
    if len(np.unique(rates)) < rates.size:
        return
    assert (
        allocate(errors[order], samples, budget) == allocate(errors, samples, budget)[order]
    ).all()


@given(cases())
def test_rates_fall_along_the_steps_and_save_as_much_in_all(case):
    errors, samples, _ = case
    costs = np.diff(samples)
    rates = falling_rates(errors, costs)
    assert (np.diff(rates, axis=1) <= 1e-9).all()
    np.testing.assert_allclose((rates * costs).sum(axis=1), errors[:, 0] - errors[:, -1], atol=1e-6)


def test_a_large_slide_uses_its_budget_nearly_whole():
    random = np.random.default_rng(1)
    scale = random.gamma(0.5, size=(10_000, 1))
    errors = scale * np.array([64, 96, 128, 192, 256, 384, 512]) ** -1.0
    budget = 10_000 * 128**2
    spent = SAMPLES[allocate(errors, SAMPLES, budget)].sum()
    assert 0.99 * budget <= spent <= budget


def test_the_allocation_is_the_best_one_where_curves_fall_evenly():
    errors = np.array([[9.0, 4.0, 1.0], [9.0, 8.0, 7.5], [9.0, 9.0, 9.0]])
    samples = np.array([1, 2, 3])
    best = min(
        np.ndindex(3, 3, 3),
        key=lambda rungs: (
            samples[list(rungs)].sum() > 5,
            errors[range(3), list(rungs)].sum(),
        ),
    )
    assert allocate(errors, samples, 5).tolist() == list(best) == [2, 0, 0]


def test_a_step_that_pays_only_with_the_next_one_is_taken():
    errors = np.array([[10.0, 10.0, 0.0], [10.0, 9.0, 9.0]])
    assert allocate(errors, np.array([1, 2, 3]), 4).tolist() == [2, 0]


def test_a_budget_below_the_lowest_rung_is_refused():
    with pytest.raises(UsageError, match=r"budget of 7 samples is too small: 2 regions need 8"):
        allocate(np.zeros((2, 2)), np.array([4, 9]), 7)
