"""The page of a cohort: the outcome of every slide, and how the slides compare."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from lds_path.formats.results import SegmentResults, TileResults
from lds_path.provenance.cohort import STAGES
from lds_path.reporting.cohort_table import mean_dice
from lds_path.reporting.distributions import WIDTH, distribute
from lds_path.reporting.metric_rows import label_of
from lds_path.reporting.outcomes import outcome_of
from lds_path.reporting.pages import SYMBOLS, class_rows, environment
from lds_path.reporting.words.cohort_words import describe_cohort
from lds_path.reporting.words.groups import group_reasons
from lds_path.reporting.zoom.neighbours import has_comparison

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.provenance.cohort import SlideRecord
    from lds_path.reporting.cohort_table import Column
    from lds_path.reporting.distributions import Distribution
    from lds_path.reporting.pages import Files

ATTENTION = ("quarantined", "not finished", "fail", "warn")
"""Outcomes of slides that somebody must look at, the most urgent first."""
COMPARED = (
    "tissue_mm2", "blur", "out_of_focus_percent", "staining", "hematoxylin", "eosin", "pas",
    "dab", "fold_percent", "pen_percent", "bubble_percent", "confidence", "uncertain_percent",
    "seam_index", "border_gain", "unlike_stain_percent", "unlike_tissue_percent",
)  # fmt: skip
"""Metrics whose distribution is drawn."""
MAX_CHOICES = 30
"""Different cells of a column that the page offers as a choice; beyond, its filter finds them."""
BATCH_METRICS = (
    "tissue_mm2", "blur", "staining", "hematoxylin", "eosin", "pas", "dab", "confidence"
)  # fmt: skip


@dataclass(frozen=True)
class Strip:
    """The drawing of one metric."""

    label: str
    unit: str
    distribution: Distribution


@dataclass(frozen=True)
class StageUse:
    """Time and memory that a stage took over the cohort."""

    stage: str
    slides: int
    seconds: float
    median_seconds: float
    longest: SlideRecord
    largest: SlideRecord


@dataclass(frozen=True)
class MppSource:
    """Slides whose pixel size comes from the same source."""

    source: str
    finest: float
    coarsest: float
    slides: Sequence[str]


@dataclass(frozen=True)
class BatchRow:
    """Medians of a batch."""

    batch: str
    slides: int
    outcomes: Mapping[str, int]
    medians: Mapping[str, float | None]


def render_index(
    records: Sequence[SlideRecord], files: Mapping[str, Files], columns: Sequence[Column]
) -> str:
    """Return the page of the cohort.

    Parameters
    ----------
    records
        Slides in the order of the page.
    files
        Slide id -> its files.
    columns
        Of the table beside the page.
    """
    template = environment().get_template("index.html.j2")
    return template.render(
        records=records,
        files=files,
        compares=has_comparison(records),
        counts=count_outcomes(records),
        words=describe_cohort(records, {slide: item.page for slide, item in files.items()}),
        attention=sorted(
            group_reasons(record for record in records if outcome_of(record) != "pass"),
            key=lambda group: ATTENTION.index(group.outcome),
        ),
        classes={row.name: row.color for record in records for row in class_rows(record)},
        columns=columns,
        scored=any(mean_dice(record) is not None for record in records),
        models=sorted({_model(record) for record in records} - {""}),
        batches=sorted({record.batch for record in records} - {""}),
        own_columns=own_columns(records),
        batch_rows=batch_rows(records),
        units={
            name: metric["unit"] for record in records for name, metric in record.metrics.items()
        },
        batch_metrics={
            name: label_of(name)
            for name in BATCH_METRICS
            if any(name in record.metrics for record in records)
        },
        strips=draw_strips(records),
        constants=find_constants(records),
        strip_width=WIDTH,
        uses=stage_uses(records),
        sources=mpp_sources(records),
    )


def own_columns(records: Sequence[SlideRecord]) -> dict[str, list[str]]:
    """Return column of the user's own -> its different cells, to choose from; [] if they are many."""
    names = dict.fromkeys(name for record in records for name in record.own)
    columns = {}
    for name in names:
        cells = sorted({record.own.get(name, "") for record in records} - {""})
        if cells:
            columns[name] = cells if 1 < len(cells) <= MAX_CHOICES else []
    return columns


def count_outcomes(records: Sequence[SlideRecord]) -> dict[str, int]:
    """Return the number of slides with each outcome, in the order of `SYMBOLS`, without zeros."""
    counts = Counter(outcome_of(record) for record in records)
    return {outcome: counts[outcome] for outcome in SYMBOLS if counts[outcome]}


def draw_strips(records: Sequence[SlideRecord]) -> list[Strip]:
    """Return the distributions of the compared metrics in which slides differ."""
    batches = {record.slide: record.batch for record in records}
    strips = []
    for name in COMPARED:
        values = _values(records, name)
        distribution = distribute(values, batches) if len(set(values.values())) > 1 else None
        if distribution is not None:
            metric = _metric(records, name)
            strips.append(Strip(label_of(name), metric["unit"], distribution))
    return strips


def find_constants(records: Sequence[SlideRecord]) -> dict[str, tuple[float, str]]:
    """Return label -> value and unit of the compared metrics that are equal on all slides."""
    constants = {}
    for name in COMPARED:
        values = _values(records, name)
        if len(values) > 1 and len(set(values.values())) == 1:
            unit = _metric(records, name)["unit"]
            constants[label_of(name)] = (next(iter(values.values())), unit)
    return constants


def batch_rows(records: Sequence[SlideRecord]) -> list[BatchRow]:
    """Return a row for each batch; none where there are fewer than two."""
    names = sorted({record.batch for record in records})
    rows = []
    for name in names if len(names) > 1 else []:
        batch = [record for record in records if record.batch == name]
        medians = {metric: _median(batch, metric) for metric in BATCH_METRICS}
        rows.append(BatchRow(name or "no batch", len(batch), count_outcomes(batch), medians))
    return rows


def stage_uses(records: Sequence[SlideRecord]) -> list[StageUse]:
    """Return time and memory of each stage that finished on some slide."""
    uses = []
    for stage in STAGES:
        done = [record for record in records if record.stages[stage].status == "done"]
        if not done:
            continue
        seconds = [record.stages[stage].seconds for record in done]
        longest = max(done, key=lambda record, stage=stage: record.stages[stage].seconds)  # type: ignore[misc]
        largest = max(done, key=lambda record, stage=stage: record.stages[stage].peak_memory_mib)  # type: ignore[misc]
        uses.append(StageUse(stage, len(done), sum(seconds), median(seconds), longest, largest))
    return uses


def mpp_sources(records: Sequence[SlideRecord]) -> list[MppSource]:
    """Return where the pixel sizes come from, the most frequent source first."""
    mpp_by_source: dict[str, dict[str, float]] = {}
    for record in records:
        tile = record.read(TileResults)
        if tile is not None:
            mpp_by_source.setdefault(tile.mpp_source, {})[record.slide] = tile.slide_mpp
    sources = [
        MppSource(source, min(slides.values()), max(slides.values()), list(slides))
        for source, slides in mpp_by_source.items()
    ]
    return sorted(sources, key=lambda source: -len(source.slides))


def _number(record: SlideRecord, name: str) -> float | None:
    value: float | None = record.metrics.get(name, {}).get("value")
    return value


def _values(records: Sequence[SlideRecord], name: str) -> dict[str, float]:
    """Return slide -> value, for slides on which it was measured."""
    values = {record.slide: _number(record, name) for record in records}
    return {slide: float(value) for slide, value in values.items() if value is not None}


def _metric(records: Sequence[SlideRecord], name: str) -> Mapping[str, Any]:
    return next(record.metrics[name] for record in records if name in record.metrics)


def _median(records: Sequence[SlideRecord], name: str) -> float | None:
    values = _values(records, name).values()
    return float(median(values)) if values else None


def _model(record: SlideRecord) -> str:
    segment = record.read(SegmentResults)
    return "" if segment is None else segment.model
