"""Slides that do not pass, or were not analysed, grouped by their reason."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.formats.results import TileResults
from lds_path.reporting.outcomes import outcome_of, reasons_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lds_path.provenance.cohort import SlideRecord

NUMBER = re.compile(r"(?<![\w.-])\d+(?:\.\d+)?(?![\w.-]*\w)")
"""A number by itself, not a part of a name."""
PATH = re.compile(r"^/.*?(?= (?:cannot|claims|has|holds|is|shows|would)\b)")
"""Of a slide, at the beginning of what is wrong with it."""
THE_FILE = "the file"


@dataclass(frozen=True)
class Group:
    """Slides with the same outcome for the same reason, whatever the numbers in it."""

    outcome: str
    stage: str
    """Where they stopped; empty for those that were analysed."""
    reason: str
    """Of one slide its own; of several with the range of each number, and without their files."""
    records: Sequence[SlideRecord]


def group_reasons(records: Iterable[SlideRecord]) -> list[Group]:
    """Return the slides by outcome and reason, the groups in the order of their first slides."""
    groups: dict[tuple[str, str, str], list[SlideRecord]] = {}
    for record in records:
        key = outcome_of(record), record.stopped_by, NUMBER.sub("#", _without_file(record))
        groups.setdefault(key, []).append(record)
    return [
        Group(outcome, stage, _reason_of(members), members)
        for (outcome, stage, _), members in groups.items()
    ]


def reason_of(record: SlideRecord) -> str:
    """Return why a slide is not done, or does not pass."""
    return record.reason or reasons_of(record)


def _reason_of(records: Sequence[SlideRecord]) -> str:
    if len(records) == 1:
        return reason_of(records[0])
    return merge_numbers([_without_file(record) for record in records])


def merge_numbers(texts: Sequence[str]) -> str:
    """Return texts that differ only in their numbers as one, with the range of each number."""
    numbers = zip(*(NUMBER.findall(text) for text in texts), strict=True)
    ranges = iter([_range(each) for each in numbers])
    return NUMBER.sub(lambda _: next(ranges), texts[0])


def _range(numbers: Sequence[str]) -> str:
    low, high = min(numbers, key=float), max(numbers, key=float)
    return low if low == high else f"{low} to {high}"


def _without_file(record: SlideRecord) -> str:
    """Return the reason with other words for the slide's file, which no two slides share."""
    tile = record.read(TileResults)
    text = PATH.sub(THE_FILE, reason_of(record))
    return text.replace(tile.file, THE_FILE) if tile and tile.file else text
