"""The outcome of a slide: the verdicts of its stages together, or how far it came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lds_path.formats.labels.label_images import name_labels
from lds_path.formats.results import AssessResults, EvaluateResults
from lds_path.quality.metrics.verdict import WORDS, Verdict, join

if TYPE_CHECKING:
    from lds_path.provenance.cohort import SlideRecord
    from lds_path.quality.metrics.verdict import Word


def verdict_of(record: SlideRecord) -> Verdict | None:
    """Return the verdict of assess with that of evaluate; None if the slide was not assessed."""
    assessed, scored = record.read(AssessResults), record.read(EvaluateResults)
    if assessed is None:
        return None
    verdicts = [Verdict(_word(assessed.verdict), assessed.reasons)]
    if scored is not None:
        verdicts.append(join(scored.remarks))
    verdicts.sort(key=lambda verdict: WORDS.index(verdict.word), reverse=True)
    reasons = [reason for verdict in verdicts for reason in verdict.reasons]
    return Verdict(verdicts[0].word, tuple(reasons))


def outcome_of(record: SlideRecord) -> str:
    """Return the outcome of a slide: its verdict, or its status if it has none."""
    if record.status != "done":
        return record.status
    verdict = verdict_of(record)
    return "not finished" if verdict is None else verdict.word


def reasons_of(record: SlideRecord) -> str:
    """Return why a slide does not pass, in one line; empty if it passes or was not assessed."""
    verdict = verdict_of(record)
    return "" if verdict is None else "; ".join(verdict.reasons)


def result_of(record: SlideRecord) -> str:
    """Return what names the labels of a slide: the start of their hash; empty without labels."""
    stitch = record.stages["stitch"]
    written = stitch.manifests[0].outputs if stitch.status == "done" else {}
    return str(written.get(name_labels(record.slide), {}).get("sha256", ""))[:12]


def _word(text: str) -> Word:
    """Return a word of a manifest; one that is unknown there is a failure."""
    return next((word for word in WORDS if word == text), "fail")
