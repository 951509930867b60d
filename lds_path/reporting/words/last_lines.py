"""The last lines of a run: how many slides are done, what is wrong with the others, what to open."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from lds_path.objects.qupath.project import PROJECT_NAME
from lds_path.objects.qupath.scripts import PROJECT_SCRIPT
from lds_path.quality.metrics.verdict import WORDS
from lds_path.reporting.cohort_page import count_outcomes
from lds_path.reporting.outcomes import outcome_of
from lds_path.reporting.words.groups import group_reasons

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from lds_path.provenance.cohort import SlideRecord
    from lds_path.reporting.pages import Files

INDEX_NAME = "index.html"
REPORT_NAME = "report"
TABLE_NAME = "cohort.tsv"
DICTIONARY_NAME = "cohort-columns.tsv"
QUPATH_NAME = "qupath"
MAX_REASONS = 10
"""For each verdict that the last lines name."""


def summarise(records: Sequence[SlideRecord], files: Mapping[str, Files], output: Path) -> str:
    """Return the last lines of a run: slides not done or not passed and why, what to open."""
    lines = [f"{len(records)} slides: {_count(records)}."]
    for outcome in ("quarantined", "not finished", "fail", "warn"):
        lines += _describe_group(outcome, records)
    done = [record for record in records if record.status == "done"]
    lines += ["\nopen:", f"  {output / INDEX_NAME}: the cohort and each slide"]
    if output.name == REPORT_NAME:  # where `view` looks for it
        command = f"lds-path view {quote(str(output.parent))}"
        lines.append(f"  {command}: the same at full resolution, and notes that stay")
    lines += [f"  {output / TABLE_NAME}: one row a slide, one column a metric"]
    lines += [f"  {output / DICTIONARY_NAME}: what the columns mean"]
    if done:
        lines.append(_name_project(done[0], output))
        outputs = files[done[0].slide].outputs
        lines += [f"  {path}: {use}" for path, use in outputs.items()]
    if len(done) > 1:
        lines.append(f"  and the same for the other slides: {_listing(done[1:])}")
    return "\n".join(lines) + "\n"


def _count(records: Sequence[SlideRecord]) -> str:
    """Return how many slides are done, with which verdicts, and how many are not."""
    counts = count_outcomes(records)
    verdicts = {word: count for word, count in counts.items() if word in WORDS}
    parts = [f"{count} {word}" for word, count in counts.items() if word not in WORDS]
    if verdicts:
        listed = ", ".join(f"{count} {word}" for word, count in verdicts.items())
        parts.insert(0, f"{sum(verdicts.values())} done ({listed})")
    return ", ".join(parts)


def _describe_group(outcome: str, records: Sequence[SlideRecord]) -> Iterator[str]:
    """Yield the slides of an outcome with their reasons, equal ones together."""
    groups = group_reasons(record for record in records if outcome_of(record) == outcome)
    if groups:
        yield f"\n{outcome}:"
    limit = MAX_REASONS if outcome in WORDS else len(groups)
    for group in groups[:limit]:
        where = f" ({group.stage})" if group.stage else ""
        if len(group.records) == 1:
            yield f"  {group.records[0].slide}{where}: {group.reason}"
        else:
            yield f"  {len(group.records)} slides{where}: {group.reason}"
            yield f"    {_listing(group.records)}"
    rest = sum(len(group.records) for group in groups[limit:])
    if rest:
        yield f"  and {rest} more, see {INDEX_NAME}"


def _name_project(record: SlideRecord, output: Path) -> str:
    project = record.stages["tile"].folder.parents[1] / QUPATH_NAME / PROJECT_NAME
    if project.is_file():
        return f"  {project}: the slides in QuPath; its script make_project adds the objects"
    script = output / QUPATH_NAME / PROJECT_SCRIPT
    return f"  {script}: run it in QuPath for a project of these slides"


def _listing(records: Sequence[SlideRecord], limit: int = 10) -> str:
    names = [record.slide for record in records[:limit]]
    return ", ".join(names) + (f" and {len(records) - limit} more" if len(records) > limit else "")
