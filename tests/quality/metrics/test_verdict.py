"""The verdict is the worst that a limit says, and its words name the cause."""

from dataclasses import asdict

import pytest

from lds_path.formats.results import Remark
from lds_path.quality.metrics.metric import Metric
from lds_path.quality.metrics.thresholds import Thresholds
from lds_path.quality.metrics.verdict import HIGH, LOW, Limit, judge, limits_of

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


def test_a_value_that_rounds_to_its_limit_is_told_apart_from_it():
    limit = Limit("dice", warn=0.7, fail=0.4, message="Dice {value} (limit {limit})")
    verdict = judge({"dice": Metric(0.6996, "0 to 1", "", "")}, [limit])
    assert verdict.reasons == ("Dice 0.6996 (limit 0.7)",)


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


def test_remarks_of_stages_count_like_limits_and_are_said_once():
    remarks = [Remark("warn", "coarse"), Remark("fail", "painted"), Remark("fail", "painted")]
    verdict = judge(metrics(share=80.0), [SHARE], remarks)
    assert verdict.word == "fail"
    assert verdict.reasons == ("painted", "coarse", "only 80 % analysed (limit 90 %)")
    assert judge(metrics(share=99.0), [SHARE], remarks[:1]).word == "warn"


@pytest.mark.parametrize(
    ("name", "value", "word", "reason"),
    [
        ("tune_dice", 0.85, "pass", ""),
        ("tune_dice", 0.6, "warn", "the model did badly even on slides like its own: Dice 0.6"),
        ("tune_dice", 0.2, "fail", "Dice 0.2 (limit 0.4)"),
        ("tune_dice", None, "warn", "the model has no score: no slide was left to tune it on"),
        ("largest_class_percent", 99.5, "pass", ""),
        ("largest_class_percent", 100, "warn", "one class covers 100 % of the labelled tissue"),
        ("largest_class_percent", None, "pass", ""),
        ("unlike_stain_percent", 15, "pass", ""),
        ("unlike_stain_percent", 50, "warn", "stained unlike what the model learned from: 50 % of"),
        ("unlike_stain_percent", 100, "fail", "stained unlike what the model learned from: 100 %"),
        ("unlike_stain_percent", None, "pass", ""),
        ("unlike_tissue_percent", 10, "pass", ""),
        (
            "unlike_tissue_percent",
            38,
            "warn",
            "the network sees what it did not learn from in 38 %",
        ),
        ("unlike_tissue_percent", 80, "fail", "in 80 % of the slide (limit 75 %)"),
    ],
)
def test_what_the_model_does_not_know_is_said_in_plain_words(name, value, word, reason):
    verdict = judge(metrics(**{name: value}), limits_of(asdict(Thresholds())))
    assert verdict.word == word
    assert reason in " ".join(verdict.reasons)


def test_a_metric_that_an_older_run_lacks_is_not_judged():
    assert judge({}, limits_of(asdict(Thresholds()))).word == "pass"


def test_a_slide_without_seams_passes():
    seams = Limit("seam_index", warn=1, fail=2, message="", low_is_bad=False)
    assert judge(metrics(seam_index=None), [seams]).word == "pass"
