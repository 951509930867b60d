"""Whether the result of a slide can be used: the limits of its metrics and a verdict in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lds_path.formats.results import Remark
from lds_path.quality.metrics.metric import format_metric, format_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lds_path.quality.metrics.metric import Metric

Word = Literal["pass", "warn", "fail"]
WORDS: tuple[Word, ...] = ("pass", "warn", "fail")
"""From good to bad."""

LOW = {
    "tissue_mm2": "only {value} mm² of tissue was found (limit {limit} mm²)",
    "analysed_percent": "only {value} % of the tissue was analysed (limit {limit} %)",
    "hematoxylin": "the hematoxylin is pale: optical density {value} (limit {limit})",
    "eosin": "the eosin is pale: optical density {value} (limit {limit})",
    "tune_dice": "the model did badly even on slides like its own: Dice {value} (limit {limit})",
}
"""Metrics that are bad when low, and what is wrong then."""
HIGH = {
    "out_of_focus_percent": "{value} % of the tissue is out of focus (limit {limit} %)",
    "fold_percent": "{value} % of the tissue is folded or too thick (limit {limit} %)",
    "dark_percent": "{value} % of the tissue lies under dark spots (limit {limit} %)",
    "pen_percent": "{value} % of the tissue is marked with a pen (limit {limit} %)",
    "bubble_percent": "air bubbles or an edge of the cover slip spoil {value} % of the tissue"
    " (limit {limit} %)",
    "staining": "the slide is over-stained: optical density {value} (limit {limit})",
    "uncertain_percent": "the model is unsure about {value} % of the tissue (limit {limit} %)",
    "seam_index": "regions do not fit together: seam index {value} (limit {limit})",
    "largest_class_percent": "one class covers {value} % of the labelled tissue (limit {limit} %)",
    "unlike_stain_percent": "stained unlike what the model learned from: {value} % of the tissue"
    " (limit {limit} %)",
    "unlike_tissue_percent": "the network sees what it did not learn from in {value} % of the slide"
    " (limit {limit} %)",
    "unreadable_tiles": "{value} tiles of the file are unreadable (limit {limit})",
}
"""Metrics that are bad when high, and what is wrong then."""
MAY_LACK = (
    "seam_index", "largest_class_percent", "unlike_stain_percent", "unlike_tissue_percent"
)  # fmt: skip
"""A slide of one region has no seams, a model of one class no other; older models do not state what
they learned from."""
UNKNOWN = {"tune_dice": "the model has no score: no slide was left to tune it on"}
"""Metrics that could not be measured, and what that means."""


@dataclass(frozen=True)
class Limit:
    """The values at which a metric is doubtful and at which it is bad."""

    metric: str
    warn: float
    fail: float
    message: str
    """What is wrong, with `{value}` and `{limit}`."""
    low_is_bad: bool = True

    def broken(self, value: float) -> float | None:
        """Return the limit that a value violates, the worse one first, or None."""
        for limit in (self.fail, self.warn):
            if value < limit if self.low_is_bad else value > limit:
                return limit
        return None


@dataclass(frozen=True)
class Verdict:
    """Whether a slide's result can be used, and why not."""

    word: Word
    reasons: tuple[str, ...]


def limits_of(thresholds: Mapping[str, float]) -> list[Limit]:
    """Return the limits of the verdict from `warn_<metric>` and `fail_<metric>`.

    A metric without thresholds, as in the parameters of an older run, has no limit.
    """
    return [
        Limit(
            name,
            warn=thresholds[f"warn_{name}"],
            fail=thresholds[f"fail_{name}"],
            message=message,
            low_is_bad=name in LOW,
        )
        for name, message in (LOW | HIGH).items()
        if f"warn_{name}" in thresholds
    ]


def judge(
    metrics: Mapping[str, Metric], limits: Iterable[Limit], remarks: Iterable[Remark] = ()
) -> Verdict:
    """Return the worst verdict of all limits and remarks; failures are named before warnings.

    A metric that could not be measured is a warning, unless it is in `MAY_LACK`; one that is not
    there is not judged.

    Parameters
    ----------
    metrics
        Of the slide.
    limits
        Of the metrics.
    remarks
        What stages found.
    """
    known = (limit for limit in limits if limit.metric in metrics)
    found = (_judge_metric(limit, metrics[limit.metric]) for limit in known)
    return join([*remarks, *(remark for remark in found if remark is not None)])


def join(remarks: Iterable[Remark]) -> Verdict:
    """Return the worst verdict of remarks; failures are named before warnings."""
    reasons: dict[str, list[str]] = {"fail": [], "warn": []}
    for remark in remarks:
        reasons["warn" if remark.word == "warn" else "fail"].append(remark.reason)
    word: Word = "fail" if reasons["fail"] else "warn" if reasons["warn"] else "pass"
    return Verdict(word, tuple(dict.fromkeys((*reasons["fail"], *reasons["warn"]))))


def metric_of(reason: str) -> str:
    """Return the metric that a reason is about; empty if it is about none."""
    for name, message in [*(LOW | HIGH).items(), *UNKNOWN.items()]:
        parts = re.split(r"\{value\}|\{limit\}", message)
        if re.fullmatch(".+".join(map(re.escape, parts)), reason):
            return name
    return ""


def _judge_metric(limit: Limit, metric: Metric) -> Remark | None:
    """Return what is wrong with a metric; None if nothing is."""
    name, value = limit.metric, metric.value
    if value is None and name in MAY_LACK:
        return None
    if not isinstance(value, int | float):
        unknown = f"{name.replace('_', ' ')} could not be measured"
        return Remark("warn", UNKNOWN.get(name, unknown))
    broken = limit.broken(value)
    if broken is None:
        return None
    shown = format_metric(value, metric.unit)
    if shown == format_metric(broken, metric.unit):  # as close as 0.6996 is to 0.7
        shown = f"{value:.4g}"
    text = limit.message.format(value=shown, limit=format_number(broken))
    return Remark("fail" if broken == limit.fail else "warn", text)
