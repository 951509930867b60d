"""A slide in plain words: what was found, what is doubtful, where to look first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.formats.results import AssessResults
from lds_path.quality.crops import DOUBTFUL, TYPICAL, WORST_SEAM
from lds_path.quality.metrics.metric import AREA, SHARE, format_metric
from lds_path.reporting.outcomes import verdict_of
from lds_path.reporting.words.advice import find_place

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from lds_path.provenance.cohort import SlideRecord
    from lds_path.reporting.words.advice import Doubt

MAX_CLASSES = 4
"""Classes that the first sentence names."""
MAX_PLACES = 3
PLACES = {
    WORST_SEAM: "where analysed squares agree least",
    DOUBTFUL: "where the model is least sure",
    TYPICAL: "at what is typical of each class",
    "artefacts": "at the artefacts",
    "overlay": "at the labels over the tissue",
    "tissue": "at the outline of the tissue",
}
"""Crop or picture -> where it lies, in words; those that are always worth a look come first."""


@dataclass(frozen=True)
class Place:
    """Where to look, with a link to it."""

    words: str
    href: str


@dataclass(frozen=True)
class Words:
    """The sentences at the head of a page."""

    found: str
    doubtful: str
    look: tuple[Place, ...]


def describe_slide(
    record: SlideRecord, doubts: Sequence[Doubt], pictures: Collection[str]
) -> Words:
    """Return the sentences of a slide.

    Parameters
    ----------
    record
        Of the slide.
    doubts
        Its warnings, as `doubts_of` returns them.
    pictures
        Names of its pictures.
    """
    assessed = record.read(AssessResults)
    if assessed is None:
        return Words(*_describe_absence(record), ())
    names = [item.name for item in assessed.classes]
    return Words(
        describe_findings(record, names), _describe_doubt(record), _places(record, doubts, pictures)
    )


def _describe_absence(record: SlideRecord) -> tuple[str, str]:
    """Return that a slide has no result, and what that means for the rest."""
    if record.status == "quarantined":
        found = (
            f"No result: {record.stopped_by} put the slide aside, and the reason says what to do."
        )
        return found, "The other slides of the run are not affected."
    return (
        f"No result yet: {record.stopped_by or 'assess'} did not finish.",
        "What is shown may be incomplete; run again, and finished stages are kept.",
    )


def describe_findings(record: SlideRecord, classes: Sequence[str]) -> str:
    """Return how much tissue there is, and how much of it each class covers, the largest first."""
    pieces = number_of(record, "pieces")
    where = "" if pieces is None else f" in {count_of(pieces, 'piece', 'pieces')}"
    shares = {name: number_of(record, SHARE + name) or 0.0 for name in classes}
    named = sorted((name for name in classes if shares[name] > 0), key=lambda name: -shares[name])
    parts = [
        f"{name} {shown(record, SHARE + name)}\N{NO-BREAK SPACE}% ({shown(record, AREA + name)}\N{NO-BREAK SPACE}mm²)"
        for name in named[:MAX_CLASSES]
    ]
    if len(named) > MAX_CLASSES:
        rest = sum(shares[name] for name in named[MAX_CLASSES:])
        more = count_of(len(named) - MAX_CLASSES, "other class", "other classes")
        parts.append(f"{more} {format_metric(rest, '%')}\N{NO-BREAK SPACE}%")
    absent = [name for name in classes if name not in named]
    sentence = f"{shown(record, 'tissue_mm2')}\N{NO-BREAK SPACE}mm² of tissue{where}: {join(parts) or 'no label'}."
    return sentence + (f" No {join(absent, 'or')}." if absent and named else "")


def _describe_doubt(record: SlideRecord) -> str:
    """Return how sure the model is, how well it knows such slides, and what could not be read."""
    verdict = verdict_of(record)
    count = len(verdict.reasons) if verdict else 0
    parts = [f"{count_of(count, 'warning', 'warnings')} below" if count else "no limit is broken"]
    if (number_of(record, "uncertain_percent") or 0) > 0:
        parts.append(
            f"the model is unsure about {shown(record, 'uncertain_percent')}\N{NO-BREAK SPACE}% of the tissue"
        )
    unlike = max(
        ("unlike_stain_percent", "unlike_tissue_percent"),
        key=lambda name: number_of(record, name) or 0,
    )
    if number_of(record, unlike) is not None:
        part = f"{shown(record, unlike)}\N{NO-BREAK SPACE}% looks unlike the slides that it learned from"
        parts.append(part)
    if tiles := number_of(record, "unreadable_tiles"):
        parts.append(f"{count_of(tiles, 'tile', 'tiles')} of the file could not be read")
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _places(
    record: SlideRecord, doubts: Sequence[Doubt], pictures: Collection[str]
) -> tuple[Place, ...]:
    """Return where to look first: what the warnings show, then what every slide has."""
    hrefs = {find_place(record, pictures, name): words for name, words in PLACES.items()}
    wanted = [*(doubt.href for doubt in doubts), *hrefs]
    return tuple(
        Place(hrefs[href], href) for href in dict.fromkeys(wanted) if href and href in hrefs
    )[:MAX_PLACES]


def number_of(record: SlideRecord, name: str) -> float | None:
    """Return the value of a metric; None where it was not measured."""
    value = record.metrics.get(name, {}).get("value")
    return value if isinstance(value, int | float) else None


def shown(record: SlideRecord, name: str) -> str:
    """Return the value of a metric as it is shown."""
    value = number_of(record, name)
    return "?" if value is None else format_metric(value, str(record.metrics[name]["unit"]))


def count_of(number: float, one: str, several: str) -> str:
    """Return a number with its noun."""
    return f"{number:.0f} {one if number == 1 else several}"


def join(parts: Sequence[str], word: str = "and") -> str:
    """Return words as one part of a sentence."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"
