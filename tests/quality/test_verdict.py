"""The verdict is the worst that a limit says, and its words name the cause."""

from dataclasses import asdict

import pytest

from lds_path.quality.metric import Metric
from lds_path.quality.thresholds import Thresholds
from lds_path.quality.verdict import HIGH, LOW, Limit, judge, limits_of

SHARE = Limit("share", warn=90.0, fail=50.0, message="only {value} % analysed (limit {limit} %)")
DOUBT = Limit("doubt", warn=10, fail=40, message="{value} % in doubt ({limit} %)", low_is_bad=False)


def metrics(**values):
    return {name: Metric(value, "", "", "") for name, value in values.items()}


def test_a_slide_within_all_limits_passes_without_reasons():
    verdict = judge(metrics(share=99.0, doubt=0), [SHARE, DOUBT])
    assert verdict.word == "pass"
    assert verdict.reasons == ()


@pytest.mark.parametrize(
    ("share", "doubt", "word"),
    [(90, 10, "pass"), (89.9, 0, "warn"), (99, 11, "warn"), (49, 0, "fail"), (99, 41, "fail")],
)
def test_the_verdict_is_the_worst_of_its_limits(share, doubt, word):
    assert judge(metrics(share=share, doubt=doubt), [SHARE, DOUBT]).word == word


def test_reasons_say_value_and_broken_limit_and_failures_come_first():
    verdict = judge(metrics(share=80, doubt=45.25), [SHARE, DOUBT])
    assert verdict.reasons == ("45.2 % in doubt (40 %)", "only 80 % analysed (limit 90 %)")


def test_what_could_not_be_measured_is_a_warning():
    verdict = judge(metrics(share=None), [SHARE])
    assert verdict.word == "warn"
    assert verdict.reasons == ("share could not be measured",)


@pytest.mark.parametrize("name", [*LOW, *HIGH])
def test_each_metric_with_a_message_has_two_limits_the_second_worse(name):
    limit = next(limit for limit in limits_of(asdict(Thresholds())) if limit.metric == name)
    assert limit.low_is_bad == (name in LOW)
    assert limit.fail < limit.warn if limit.low_is_bad else limit.fail > limit.warn


def test_every_threshold_belongs_to_a_metric():
    names = {
        f"{word}_{limit.metric}"
        for limit in limits_of(asdict(Thresholds()))
        for word in ("warn", "fail")
    }
    assert names == set(asdict(Thresholds()))


def test_parameters_of_an_older_run_without_a_threshold_set_no_limit():
    assert [limit.metric for limit in limits_of({"warn_eosin": 1, "fail_eosin": 0})] == ["eosin"]


def test_a_slide_without_seams_passes():
    seams = Limit("seam_index", warn=1, fail=2, message="", low_is_bad=False)
    assert judge(metrics(seam_index=None), [seams]).word == "pass"
