"""The pages of the report as HTML text: words and numbers of slides put into templates."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jinja2

from lds_path import __version__
from lds_path.formats.cohort import STAGES
from lds_path.metrics import AREA, CONFIDENCE, SHARE, verdict_limits
from lds_path.quality import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.formats.cohort import SlideRecord, StageRecord

SYMBOLS = {"pass": "✓", "warn": "!", "fail": "✕", "quarantined": "‖", "not finished": "…"}
"""Sign beside the word of a verdict or a status."""
ATTENTION = ("quarantined", "not finished", "fail", "warn")
"""Words about a slide that somebody must look at, the most urgent first."""
CLASS_METRICS = (AREA, SHARE, CONFIDENCE)


@dataclass(frozen=True)
class ClassRow:
    """One class of one slide, as the tables show it."""

    name: str
    color: str
    """As CSS writes it, `#rrggbb`."""
    area_mm2: float | None
    percent: float | None
    confidence: float | None
    dice: float | None
    iou: float | None


@dataclass(frozen=True)
class MetricRow:
    """One metric of one slide, as the tables show it."""

    name: str
    label: str
    value: float | int | str | None
    unit: str
    definition: str
    source: str
    limits: str


@dataclass(frozen=True)
class Files:
    """What a page links to and names."""

    page: str
    """Of the slide, from the index."""
    pictures: Mapping[str, str]
    """Name -> path from the slide's page."""
    thumbnail: str
    """From the index; empty where there is no picture."""
    outputs: Mapping[str, str]
    """Path -> what it is for."""


def render_index(records: Sequence[SlideRecord], files: Mapping[str, Files]) -> str:
    """Return the page of the cohort.

    Parameters
    ----------
    records
        Slides in the order of the page.
    files
        Slide id -> its files.
    """
    return (
        _environment()
        .get_template("index.html.j2")
        .render(
            records=records,
            files=files,
            counts=count_words(records),
            attention=sorted(
                (record for record in records if word_of(record) != "pass"),
                key=lambda record: ATTENTION.index(word_of(record)),
            ),
            classes=_class_colors(records),
            dictionary=_dictionary(records),
            models=sorted({_model(record) for record in records} - {""}),
        )
    )


def render_slide(record: SlideRecord, files: Files) -> str:
    """Return the page of one slide."""
    return (
        _environment()
        .get_template("slide.html.j2")
        .render(
            record=record,
            files=files,
            classes=class_rows(record),
            metrics=metric_rows(record),
            tile=record.stages["tile"].results,
        )
    )


def word_of(record: SlideRecord) -> str:
    """Return the one word about a slide: its verdict, or why it has none."""
    if record.status != "done":
        return record.status
    return str(record.quality.get("verdict", "not finished"))


def count_words(records: Sequence[SlideRecord]) -> dict[str, int]:
    """Return how many slides have each word, in the order of `SYMBOLS`, without zeros."""
    found = Counter(word_of(record) for record in records)
    return {word: found[word] for word in SYMBOLS if found[word]}


def class_rows(record: SlideRecord) -> list[ClassRow]:
    """Return the classes of a slide in the order of their values."""
    scores = record.stages["evaluate"].results
    return [
        ClassRow(
            each["name"],
            css_color(each["color"]),
            _value(record, AREA + each["name"]),
            _value(record, SHARE + each["name"]),
            _value(record, CONFIDENCE + each["name"]),
            scores.get("dice", {}).get(each["name"]),
            scores.get("iou", {}).get(each["name"]),
        )
        for each in record.quality.get("classes", ())
    ]


def class_row(record: SlideRecord, name: str) -> ClassRow | None:
    """Return one class of a slide; None where the slide does not have it."""
    return next((row for row in class_rows(record) if row.name == name), None)


def metric_rows(record: SlideRecord) -> list[MetricRow]:
    """Return the metrics of a slide that do not belong to one class."""
    limits = _limit_words(record.stages["assess"])
    return [
        MetricRow(name=name, label=_label(name), limits=limits.get(name, ""), **metric)
        for name, metric in record.metrics.items()
        if not name.startswith(CLASS_METRICS)
    ]


def mean_dice(record: SlideRecord) -> float | None:
    """Return the mean Dice over classes, where the slide was evaluated."""
    scores = [row.dice for row in class_rows(record) if row.dice is not None]
    return sum(scores) / len(scores) if scores else None


def css_color(color: Sequence[int]) -> str:
    """Return a colour as CSS writes it."""
    return "#" + "".join(f"{int(part) & 255:02x}" for part in color)


def format_value(value: float | str | None) -> str:
    """Return a value for a table cell; a dash where there is none."""
    if value is None:
        return "\N{EN DASH}"
    return value if isinstance(value, str) else number(value)


def format_seconds(seconds: float) -> str:
    """Return a duration as a person writes it."""
    if seconds < 90:
        return f"{number(round(seconds, 1))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def format_memory(mib: float) -> str:
    """Return an amount of memory as a person writes it."""
    return f"{mib:.0f} MiB" if mib < 1000 else f"{mib / 1024:.1f} GiB"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lds_path.stages", "templates"),
        autoescape=True,  # ids, reasons and file names come from users
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(value=format_value, seconds=format_seconds, memory=format_memory)
    environment.globals.update(
        class_row=class_row,
        class_rows=class_rows,
        mean_dice=mean_dice,
        stages=STAGES,
        symbols=SYMBOLS,
        version=__version__,
        word_of=word_of,
    )
    return environment


def _value(record: SlideRecord, name: str) -> float | None:
    value: float | None = record.metrics.get(name, {}).get("value")
    return value


def _label(name: str) -> str:
    """Return a metric's name in words, without the unit that stands in its own column."""
    return re.sub(r"(?<!per)_(mm2|percent|um)$", "", name).replace("_", " ")


def _limit_words(assess: StageRecord) -> dict[str, str]:
    if assess.status != "done":
        return {}
    return {
        limit.metric: (f"warn {side} {number(limit.warn)}, fail {side} {number(limit.fail)}")
        for limit in verdict_limits(assess.manifests[0].parameters)
        for side in ["below" if limit.low_is_bad else "above"]
    }


def _class_colors(records: Sequence[SlideRecord]) -> dict[str, str]:
    """Return all classes of the cohort with their colours."""
    return {row.name: row.color for record in records for row in class_rows(record)}


def _dictionary(records: Sequence[SlideRecord]) -> dict[str, Mapping[str, Any]]:
    """Return every metric of the cohort with its unit and definition."""
    return {name: metric for record in records for name, metric in record.metrics.items()}


def _model(record: SlideRecord) -> str:
    return str(record.stages["segment"].results.get("model", ""))
