"""A cohort in plain words: what was found, what is doubtful, where to look first."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from lds_path.formats.results import AssessResults
from lds_path.quality.metrics.metric import AREA, format_metric
from lds_path.reporting.outcomes import outcome_of, verdict_of
from lds_path.reporting.words.groups import group_reasons
from lds_path.reporting.words.slide_words import (
    MAX_CLASSES,
    MAX_PLACES,
    Place,
    Words,
    count_of,
    join,
    number_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.provenance.cohort import SlideRecord

URGENCY = ("fail", "warn", "quarantined", "not finished", "pass")
"""Outcomes of slides, those to look at first in front."""


def describe_cohort(records: Sequence[SlideRecord], pages: Mapping[str, str]) -> Words:
    """Return the sentences of a cohort.

    Parameters
    ----------
    records
        Its slides.
    pages
        Slide id -> path of its page.
    """
    return Words(_describe_findings(records), _describe_doubt(records), _places(records, pages))


def _describe_findings(records: Sequence[SlideRecord]) -> str:
    """Return how much tissue there is on all slides, and how much of it each class covers."""
    tissue = _values(records, "tissue_mm2")
    if not tissue:
        return "No slide has been analysed."
    total = sum(tissue)
    sentence = f"{format_metric(total, 'mm²')}\N{NO-BREAK SPACE}mm² of tissue on {count_of(len(tissue), 'slide', 'slides')}"
    if len(tissue) > 1:
        sentence += f" (median {format_metric(median(tissue), 'mm²')}\N{NO-BREAK SPACE}mm²)"
    areas = {name: sum(_values(records, AREA + name)) for name in _class_names(records)}
    largest = sorted((name for name in areas if areas[name]), key=lambda name: -areas[name])
    shares = [
        f"{name} {format_metric(100 * areas[name] / total, '%')}\N{NO-BREAK SPACE}%"
        for name in largest
        if total
    ][:MAX_CLASSES]
    return f"{sentence}" + (f"; of all of it, {join(shares)}." if shares else ".")


def _describe_doubt(records: Sequence[SlideRecord]) -> str:
    """Return how many slides do not pass, and the reason that most of them share."""
    doubtful = [record for record in records if outcome_of(record) != "pass"]
    if not doubtful:
        return "All slides are within all limits."
    counts = {word: [item for item in doubtful if outcome_of(item) == word] for word in URGENCY}
    named = [f"{len(group)} {word}" for word, group in counts.items() if group]
    sentence = f"{len(doubtful)} of {count_of(len(records), 'slide', 'slides')} need attention: {join(named)}"
    largest = max(group_reasons(doubtful), key=lambda group: len(group.records))
    if len(largest.records) > 1:
        sentence += (
            f". The most frequent reason, on {len(largest.records)} slides: {largest.reason}"
        )
    return f"{sentence}."


def _places(records: Sequence[SlideRecord], pages: Mapping[str, str]) -> tuple[Place, ...]:
    """Return the slides to open first: the worst verdicts, among equals the least sure."""

    def urgency(record: SlideRecord) -> tuple[int, int, float]:
        verdict = verdict_of(record)
        confidence = number_of(record, "confidence")
        return (
            URGENCY.index(outcome_of(record)),
            -len(verdict.reasons if verdict else ()),
            1.0 if confidence is None else confidence,
        )

    first = sorted(records, key=urgency)[:MAX_PLACES]
    return tuple(Place(f"{item.slide} ({outcome_of(item)})", pages[item.slide]) for item in first)


def _class_names(records: Sequence[SlideRecord]) -> list[str]:
    parts = [record.read(AssessResults) for record in records]
    return list(dict.fromkeys(item.name for part in parts if part for item in part.classes))


def _values(records: Sequence[SlideRecord], name: str) -> list[float]:
    values = (number_of(record, name) for record in records)
    return [value for value in values if value is not None]
