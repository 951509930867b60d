"""Each warning says what it means and what to do, and leads to what shows it."""

from dataclasses import asdict

import pytest

from lds_path.quality.metrics.metric import Metric
from lds_path.quality.metrics.thresholds import Thresholds
from lds_path.quality.metrics.verdict import HIGH, LOW, UNKNOWN, judge, limits_of, metric_of
from lds_path.reporting.words.advice import ADVICE


@pytest.mark.parametrize("limit", limits_of(asdict(Thresholds())), ids=lambda limit: limit.metric)
def test_a_reason_is_traced_to_its_metric_and_has_advice(limit):
    bad = limit.fail - 1 if limit.low_is_bad else limit.fail + 1
    (reason,) = judge({limit.metric: Metric(bad, "%", "", "")}, [limit]).reasons
    assert metric_of(reason) == limit.metric
    assert ADVICE[limit.metric].meaning.endswith(".")


def test_there_is_advice_for_no_other_metric():
    assert set(ADVICE) == {*LOW, *HIGH}


def test_what_was_not_measured_is_traced_and_other_words_are_not():
    for name, reason in UNKNOWN.items():
        assert metric_of(reason) == name
    assert metric_of("the model 'demo' knows only painted slides") == ""
