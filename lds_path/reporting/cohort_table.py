"""The table of a cohort for programs: one row a slide, one column a metric, and its dictionary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from lds_path.formats.results import AssessResults, EvaluateResults, TileResults
from lds_path.provenance.cohort import STAGES
from lds_path.quality.metrics.metric import AREA, CONFIDENCE, SHARE, round_metric
from lds_path.reporting.network_time import network_time
from lds_path.reporting.outcomes import verdict_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lds_path.provenance.cohort import SlideRecord, StageRecord

CLASS_METRICS = (AREA, SHARE, CONFIDENCE)
OWN = "sheet."
"""Prefix of columns that the user added to the sheet."""
SCORE = "0 to 1"
CHANNELS = ("red", "green", "blue")
COLORS = ("glass", "hematoxylin_vector", "eosin_vector", "pas_vector", "dab_vector")
"""Metrics with a number for each channel."""


@dataclass(frozen=True)
class Column:
    """What a column of the table means."""

    column: str
    unit: str
    definition: str
    source: str


def class_names(record: SlideRecord) -> list[str]:
    """Return the classes of a slide, in the order of their values."""
    assessed = record.read(AssessResults)
    return [] if assessed is None else [item.name for item in assessed.classes]


def scores_of(record: SlideRecord, score: Literal["dice", "iou"]) -> dict[str, float]:
    """Return class -> score; empty if the slide was not evaluated."""
    results = record.read(EvaluateResults)
    scores = {} if results is None else results.dice if score == "dice" else results.iou
    known = ((name, scores.get(name)) for name in class_names(record))
    return {name: score for name, score in known if score is not None}


def mean_dice(record: SlideRecord) -> float | None:
    """Return the mean Dice over classes, None if the slide was not evaluated."""
    scores = scores_of(record, "dice").values()
    return sum(scores) / len(scores) if scores else None


def table_row(record: SlideRecord) -> dict[str, Any]:
    """Return a slide's row of the table; columns that it lacks stay empty."""
    dice = mean_dice(record)
    tile, verdict = record.read(TileResults), verdict_of(record)
    return {
        "slide": record.slide,
        "batch": record.batch,
        **{OWN + name: cell for name, cell in record.own.items()},
        "status": record.status,
        "stopped_by": record.stopped_by,
        "reason": record.reason,
        "verdict": "" if verdict is None else verdict.word,
        "verdict_reasons": "; ".join(verdict.reasons if verdict else ()),
        "file": "" if tile is None else tile.file,
        **{
            column: value
            for name, metric in record.metrics.items()
            for column, value in _cells(name, metric["value"], metric["unit"]).items()
        },
        **({} if dice is None else {"dice": round_metric(dice, SCORE)}),
        **{
            f"{score}.{name}": round_metric(value, SCORE)
            for score in ("dice", "iou")
            for name, value in scores_of(record, score).items()
        },
        **{f"seconds.{stage}": _seconds(record.stages[stage]) for stage in STAGES},
        "seconds": round(record.seconds, 1),
        **_network_seconds(record),
        "peak_memory_mib": round(record.peak_memory_mib, 1),
    }


def describe_columns(records: Sequence[SlideRecord], columns: Sequence[str]) -> list[Column]:
    """Return what each column of the table means, in its order."""
    known = {
        "slide": Column("slide", "", "Id of the slide in the sample sheet.", "sheet"),
        "batch": Column("batch", "", "Batch of the slide in the sample sheet.", "sheet"),
        "status": Column("status", "", "done, quarantined or not finished.", "manifests"),
        "stopped_by": Column("stopped_by", "", "Stage that put the slide aside.", "manifests"),
        "reason": Column("reason", "", "Why the slide is not done.", "manifests"),
        "verdict": Column("verdict", "", "pass, warn or fail.", "assess, evaluate"),
        "verdict_reasons": Column(
            "verdict_reasons", "", "Why it does not pass.", "assess, evaluate"
        ),
        "file": Column("file", "", "Name of the slide's file.", "tile"),
        "dice": Column("dice", "0 to 1", "Mean Dice over the classes.", "evaluate"),
        "seconds": Column("seconds", "s", "Time of all stages together.", "manifests"),
        "predicted_seconds": Column(
            "predicted_seconds", "s", "Time of the network that the plan predicted.", "plan"
        ),
        "network_seconds": Column(
            "network_seconds",
            "s",
            "Time of the network, all cores together, or of a GPU.",
            "segment",
        ),
        "peak_memory_mib": Column(
            "peak_memory_mib", "MiB", "Largest memory of any stage.", "manifests"
        ),
    }
    for record in records:
        for name, metric in record.metrics.items():
            for column in _cells(name, metric["value"], metric["unit"]):
                known[column] = Column(
                    column, metric["unit"], metric["definition"], metric["source"]
                )
    return [known.get(column) or _describe_part(column) for column in columns]


def _describe_part(column: str) -> Column:
    """Return what a column for each class, or for each stage, means."""
    kind, _, name = column.partition(".")
    if column.startswith(OWN):
        return Column(column, "", f"Column {name} of the sample sheet, as it is there.", "sheet")
    if kind == "seconds":
        return Column(column, "s", f"Time of the stage {name}, all shards together.", "manifests")
    words = {"dice": "Dice", "iou": "Intersection over union"}[kind]
    text = f"{words} of {name} against the reference labels."
    return Column(column, "0 to 1", text, "evaluate")


def _network_seconds(record: SlideRecord) -> dict[str, float]:
    """Return what a budget in seconds promised and what was needed; nothing for other budgets."""
    time = network_time(record)
    if time is None:
        return {}
    return {
        "predicted_seconds": round(time.predicted, 1),
        "network_seconds": round(time.needed, 1),
    }


def _seconds(stage: StageRecord) -> float | None:
    """Return the time of a stage; None if it did not run."""
    return round(stage.seconds, 2) if stage.manifests else None


def _cells(name: str, value: object, unit: str) -> Mapping[str, object]:
    """Return the columns of a metric: three for a colour."""
    if name in COLORS:
        parts = value if isinstance(value, list) else [None] * len(CHANNELS)
        return {
            f"{name}.{channel}": round_metric(part, unit)
            for channel, part in zip(CHANNELS, parts, strict=True)
        }
    return {name: round_metric(value, unit)}
