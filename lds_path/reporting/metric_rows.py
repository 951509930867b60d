"""The metrics of a slide as rows of its page, under headings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.quality.metrics.metric import format_number
from lds_path.quality.metrics.verdict import limits_of
from lds_path.reporting.cohort_table import CLASS_METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lds_path.provenance.cohort import SlideRecord, StageRecord
    from lds_path.provenance.manifest import Manifest

LABELS = {
    "mpp": "working pixel",
    "slide_mpp": "slide pixel",
    "mpp_source": "source of the pixel size",
    "fold_percent": "folds",
    "dark_percent": "dark spots",
    "pen_percent": "pen",
    "bubble_percent": "bubbles, cover-slip edges",
    "screen_pen_percent": "pen, by the network",
    "screen_fold_percent": "folds, by the network",
    "screen_bubble_percent": "bubbles, cover-slip edges, by the network",
    "screen_out_of_focus_percent": "out of focus, by the network",
    "samples_per_mm2": "samples per mm²",
    "seam_disagreement_percent": "disagreement of regions",
    "border_samples_percent": "samples on borders",
    "border_area_percent": "tissue on borders",
    "border_gain": "gain on borders",
    "pitch_min_um": "closest samples",
    "pitch_max_um": "farthest samples",
    "zoom_min": "least zoom",
    "zoom_max": "largest zoom",
    "pas": "PAS",
    "pas_vector": "PAS vector",
    "dab": "DAB",
    "dab_vector": "DAB vector",
    "tune_dice": "worst class of the model",
    "unlike_stain_percent": "stained unlike its slides",
    "unlike_tissue_percent": "looks unlike its slides",
}
"""Names of metrics on the pages, if not the words of the metric's name."""
GROUPS = {
    "The slide": ("mpp", "slide_mpp", "mpp_source", "unreadable_tiles", "other_images", "glass"),
    "Focus and artefacts": (
        "blur", "out_of_focus_percent", "fold_percent", "dark_percent", "pen_percent",
        "bubble_percent", "screen_out_of_focus_percent", "screen_fold_percent",
        "screen_pen_percent", "screen_bubble_percent",
    ),
    "Stains": (
        "staining", "hematoxylin", "eosin", "pas", "dab", "hematoxylin_vector", "eosin_vector",
        "pas_vector", "dab_vector",
    ),
    "Tissue and labels": (
        "tissue_mm2", "pieces", "analysed_percent", "largest_class_percent", "confidence",
        "uncertain_percent",
    ),
    "The model": ("tune_dice", "unlike_stain_percent", "unlike_tissue_percent"),
    "Regions and samples": (
        "seam_index", "seam_disagreement_percent", "regions", "samples", "samples_per_mm2",
        "pitch_min_um", "pitch_max_um", "zoom_min", "zoom_max", "border_samples_percent",
        "border_area_percent", "border_gain",
    ),
}  # fmt: skip
"""Metrics under their headings; others follow at the end."""


@dataclass(frozen=True)
class MetricRow:
    """One metric of one slide, as the tables show it."""

    name: str
    label: str
    value: float | int | str | Sequence[float] | None
    unit: str
    definition: str
    source: str
    limits: str


def metric_groups(record: SlideRecord) -> dict[str, list[MetricRow]]:
    """Return the metrics of a slide that do not belong to one class, under their headings."""
    limits = _describe_limits(record.stages["assess"])
    rows = {
        name: MetricRow(name=name, label=label_of(name), limits=limits.get(name, ""), **metric)
        for name, metric in record.metrics.items()
        if not name.startswith(CLASS_METRICS)
    }
    known = {name for names in GROUPS.values() for name in names}
    groups = {
        heading: [rows[name] for name in names if name in rows] for heading, names in GROUPS.items()
    }
    groups["Others"] = [row for name, row in rows.items() if name not in known]
    return {heading: group for heading, group in groups.items() if group}


def parameters_of(record: SlideRecord, manifest: Manifest) -> dict[str, object]:
    """Return the parameters of a stage, without limits of metrics that the slide does not have.

    Of a slide in another stain than H&E the limits of eosin say nothing.
    """
    given = manifest.parameters
    if manifest.stage != "assess" or not record.metrics:
        return dict(given)
    lacking = {limit.metric for limit in limits_of(given)} - set(record.metrics)
    hidden = {f"{word}_{metric}" for word in ("warn", "fail") for metric in lacking}
    return {name: value for name, value in given.items() if name not in hidden}


def label_of(name: str) -> str:
    """Return a metric's name in words, without the unit, which has its own column."""
    if name in LABELS:
        return LABELS[name]
    return re.sub(r"(?<!per)_(mm2|percent|um)$", "", name).replace("_", " ")


def _describe_limits(assess: StageRecord) -> dict[str, str]:
    if assess.status != "done":
        return {}
    return {
        limit.metric: (
            f"warn {side} {format_number(limit.warn)}, fail {side} {format_number(limit.fail)}"
        )
        for limit in limits_of(assess.manifests[0].parameters)
        for side in ["below" if limit.low_is_bad else "above"]
    }
