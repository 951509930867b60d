from __future__ import annotations

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from lds_path.learning.streams import stream

KEYS = st.tuples(st.integers(0, 2**40), st.text(), st.integers(0, 2**40))


def numbers(key):
    return stream(*key).integers(2**63, size=4).tolist()


@given(KEYS, KEYS)
def test_streams_are_equal_only_if_seed_name_and_step_are(one, other):
    assert (numbers(one) == numbers(other)) == (one == other)


def test_no_neighbouring_seed_name_or_step_gives_the_same_stream():
    keys = [(a, name, b) for a in range(4) for b in range(4) for name in ("", "0", "1", "1 1")]
    drawn = [tuple(numbers(key)) for key in keys]
    assert len(set(drawn)) == len(keys)


def test_streams_of_one_training_are_not_correlated():
    drawn = [stream(1, name, step).normal(size=4000) for name in ("stain", "a") for step in (0, 1)]
    for one, other in combinations(drawn, 2):
        assert abs((one * other).mean()) < 0.08  # five standard deviations
