"""Whether the result of a slide can be used: the limits of its metrics and a verdict in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lds_path.quality.metric import format_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from lds_path.quality.metric import Metric

Word = Literal["pass", "warn", "fail"]

LOW = {
    "tissue_mm2": "only {value} mm² of tissue was found (limit {limit} mm²)",
    "analysed_percent": "only {value} % of the tissue was analysed (limit {limit} %)",
    "hematoxylin": "the hematoxylin is pale: optical density {value} (limit {limit})",
    "eosin": "the eosin is pale: optical density {value} (limit {limit})",
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
    "unreadable_tiles": "{value} tiles of the file are unreadable (limit {limit})",
}
"""Metrics that are bad when high, and what is wrong then."""
MAY_LACK = ("seam_index",)
"""A slide of one region has no seams."""


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


def judge(metrics: Mapping[str, Metric], limits: Iterable[Limit]) -> Verdict:
    """Return the worst verdict of all limits; failures are named before warnings.

    A metric that could not be measured is a warning, unless it is in `MAY_LACK`.
    """
    reasons: dict[Word, list[str]] = {"fail": [], "warn": []}
    for limit in limits:
        value = metrics[limit.metric].value
        if value is None and limit.metric in MAY_LACK:
            continue
        if not isinstance(value, int | float):
            reasons["warn"].append(f"{limit.metric.replace('_', ' ')} could not be measured")
            continue
        broken = limit.broken(value)
        if broken is None:
            continue
        word: Word = "fail" if broken == limit.fail else "warn"
        reasons[word].append(
            limit.message.format(value=format_number(value), limit=format_number(broken))
        )
    word = "fail" if reasons["fail"] else "warn" if reasons["warn"] else "pass"
    return Verdict(word, (*reasons["fail"], *reasons["warn"]))
