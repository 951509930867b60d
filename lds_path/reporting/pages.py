"""The pages of the report as HTML: the data of slides inserted into templates."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jinja2

from lds_path import __version__
from lds_path.formats.results import (
    AssessResults,
    EvaluateResults,
    SegmentResults,
    StitchResults,
    TileResults,
)
from lds_path.objects.tally import ExportParameters, ExportResults
from lds_path.provenance.cohort import STAGES
from lds_path.quality.metrics.metric import AREA, CONFIDENCE, SHARE, format_metric, format_number
from lds_path.reporting.cohort_table import mean_dice
from lds_path.reporting.metric_rows import metric_groups, parameters_of
from lds_path.reporting.network_time import network_time
from lds_path.reporting.outcomes import outcome_of, reasons_of, result_of
from lds_path.reporting.words.advice import doubts_of
from lds_path.reporting.words.slide_words import describe_slide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.provenance.cohort import SlideRecord
    from lds_path.reporting.zoom.neighbours import Around
    from lds_path.reporting.zoom.viewer import Zoom

SYMBOLS = {"pass": "✓", "warn": "!", "fail": "✕", "quarantined": "‖", "not finished": "…"}
"""Sign beside a verdict or a status."""
SOURCE_WORDS = {
    "sheet": "sample sheet",
    "metadata": "metadata of the file",
    "tags": "TIFF resolution tags",
}
"""Possible sources of a pixel size."""


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
class ObjectRow:
    """The objects of one class of one slide, and what is left out."""

    name: str
    color: str
    """As CSS writes it, `#rrggbb`."""
    objects: int
    vertices: int
    area_mm2: float
    dropped: int
    dropped_um2: float
    filled: int
    filled_um2: float


@dataclass(frozen=True)
class Files:
    """The files that a page links to or lists."""

    page: str
    """Path of the slide's page, from the index."""
    pictures: Mapping[str, str]
    """Name -> path from the slide's page."""
    thumbnail: str
    """From the index; empty where there is no picture."""
    outputs: Mapping[str, str]
    """Path -> what it is for."""
    sizes: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Name of a picture -> width and height: a page that knows them jumps to the right place."""


def render_slide(
    record: SlideRecord, files: Files, around: Around, zoom: Zoom | None = None
) -> str:
    """Return the page of one slide, with a viewer of what it can zoom into."""
    doubts = doubts_of(record, files.pictures)
    return (
        environment()
        .get_template("slide.html.j2")
        .render(
            record=record,
            files=files,
            classes=class_rows(record),
            objects=object_rows(record),
            objects_note=objects_note(record),
            groups=metric_groups(record),
            tile=tile_of(record),
            stitch=record.read(StitchResults),
            exported=record.read(ExportParameters),
            segment=record.read(SegmentResults),
            time=network_time(record),
            doubts=doubts,
            words=describe_slide(record, doubts, files.pictures),
            around=around,
            zoom=None if zoom is None else json.dumps(zoom.to_json(), ensure_ascii=False),
        )
    )


def tile_of(record: SlideRecord) -> TileResults | None:
    """Return the data of a slide's file, None if it was not read."""
    return record.read(TileResults)


def assessment_of(record: SlideRecord) -> AssessResults | None:
    """Return the verdict of a slide with its reasons, None if it was not assessed."""
    return record.read(AssessResults)


def class_rows(record: SlideRecord) -> list[ClassRow]:
    """Return the classes of a slide in the order of their values."""
    assessed, scores = assessment_of(record), record.read(EvaluateResults)
    return [
        ClassRow(
            item.name,
            css_color(item.color),
            _value(record, AREA + item.name),
            _value(record, SHARE + item.name),
            _value(record, CONFIDENCE + item.name),
            None if scores is None else scores.dice.get(item.name),
            None if scores is None else scores.iou.get(item.name),
        )
        for item in (() if assessed is None else assessed.classes)
    ]


def object_rows(record: SlideRecord) -> list[ObjectRow]:
    """Return what was exported of each class, in the order of their values."""
    exported, stitch = record.read(ExportResults), record.read(StitchResults)
    if exported is None or stitch is None or exported.dropped is None or exported.filled is None:
        return []
    return [
        ObjectRow(
            item.name,
            css_color(item.color),
            exported.objects[item.name],
            exported.vertices[item.name],
            exported.area_mm2[item.name],
            exported.dropped[item.name].count,
            exported.dropped[item.name].area_um2,
            exported.filled[item.name].count,
            exported.filled[item.name].area_um2,
        )
        for item in stitch.classes
        if item.name in exported.objects
    ]


def objects_note(record: SlideRecord) -> str:
    """Return which objects and holes are left out, and whether more than configured."""
    asked, exported = record.read(ExportParameters), record.read(ExportResults)
    if asked is None or exported is None or exported.dropped is None:
        return ""
    used = exported.style
    note = (
        f"Objects below {format_number(used.min_object_um2)} µm² are left out and holes below"
        f" {format_number(used.max_hole_um2)} µm² filled; outlines deviate by up to"
        f" {format_number(used.tolerance_um)} µm."
    )
    if used.tolerance_um > asked.tolerance_um:
        note += (
            f" With the {format_number(asked.min_object_um2)} µm²,"
            f" {format_number(asked.max_hole_um2)} µm²"
            f" and {format_number(asked.tolerance_um)} µm of the configuration there were more than"
            f" {exported.max_vertices} vertices."
        )
    return note


def css_color(color: Sequence[int]) -> str:
    """Return a colour as CSS writes it."""
    return "#" + "".join(f"{int(part) & 255:02x}" for part in color)


def format_value(value: float | str | Sequence[float] | None, unit: str = "") -> str:
    """Return a value for a table cell, with the decimals of its unit; a dash if there is none."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return format_metric(value, unit)
    return ", ".join(format_metric(part, unit) for part in value)


def format_seconds(seconds: float) -> str:
    """Return a duration as people write it."""
    if seconds < 90:
        return f"{format_number(round(seconds, 1))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def format_memory(mib: float) -> str:
    """Return an amount of memory as people write it."""
    return f"{mib:.0f} MiB" if mib < 1000 else f"{mib / 1024:.1f} GiB"


def environment() -> jinja2.Environment:
    """Return the templates; everything inserted into them is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("lds_path.reporting", "templates"),
        autoescape=True,  # ids, reasons and file names come from users
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(value=format_value, seconds=format_seconds, memory=format_memory)
    environment.globals.update(
        assessment_of=assessment_of,
        class_rows=class_rows,
        mean_dice=mean_dice,
        reasons_of=reasons_of,
        result_of=result_of,
        source_words=SOURCE_WORDS,
        stages=STAGES,
        symbols=SYMBOLS,
        tile_of=tile_of,
        version=__version__,
        outcome_of=outcome_of,
        parameters_of=parameters_of,
    )
    return environment


def _value(record: SlideRecord, name: str) -> float | None:
    value: float | None = record.metrics.get(name, {}).get("value")
    return value
