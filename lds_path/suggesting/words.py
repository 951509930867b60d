"""What is said of suggested areas: why each was chosen, and what to do with them."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from lds_path.suggesting.suggestion import Suggestion

PARTS = {
    "doubt": "the model doubts its labels",
    "distance": "it looks unlike what the model learned from",
    "error": "the model expects to be wrong",
}
"""Part of the score -> what a high value means."""
UNKNOWN = {
    "distance": "segment kept none (an older run or model, or lattices of a budget)",
    "error": "`plan: budget` was uniform",
}
"""Part of the score -> why it may not be known."""
HIGH = 0.75
"""Rank from which a part is named as a reason."""
SHOWN = 5
TUNE_SHARE = 5
"""One slide in so many is enough to score a model."""


def explain(ranks: Mapping[str, float], rare: str = "") -> str:
    """Return why an area was chosen: the class that it shows and that is rarely predicted, and its ranks."""
    high = sorted((item for item in ranks.items() if item[1] >= HIGH), key=lambda item: -item[1])
    reasons = [
        f"{PARTS[name]} (more than in {min(int(100 * rank), 99)} % of all squares)"
        for name, rank in high
    ]
    if rare:
        reasons.insert(0, f"it shows {rare}, which the model predicts rarely")
    text = "; ".join(reasons) or "no part of the score stands out"
    return text[:1].upper() + text[1:]


def describe(suggestion: Suggestion) -> str:
    """Return the lines that tell what was suggested and how to go on."""
    output, trained = suggestion.output, suggestion.output / "results/train"
    steps = (_how_to_correct(output), _how_to_score(suggestion))
    return "\n".join(
        [
            *_what(suggestion),
            "To go on:",
            *(f"{number}. {step}" for number, step in enumerate(steps, start=1)),
            f"3. Train, from {suggestion.start} on; the new model will be {trained}:",
            f"   {command(output)}",
        ]
    )


def command(output: Path) -> str:
    """Return the command that trains on what was corrected."""
    folder = shlex.quote(str(output))
    file = shlex.quote(str(output / "train.yaml"))
    return f"snakemake train --cores all --directory {folder} --configfile config.yaml {file}"


def _what(suggestion: Suggestion) -> list[str]:
    areas, cohort = suggestion.areas, suggestion.cohort
    slides = Counter(area.name for area in areas)
    width, height = areas[0].side_um
    total = sum(each.side_um[0] * each.side_um[1] for each in areas) / 1e6
    known = [name for name in PARTS if any(name in area.parts for area in areas)]
    without = [f"; not by {name}: {why}" for name, why in UNKNOWN.items() if name not in known]
    places = f"{_count(len(areas), 'area')} of {width:.0f} x {height:.0f} um on {_count(len(slides), 'slide')}"
    return [
        f"{places}, {total:.2g} mm2 in all: {suggestion.output / 'suggested.tsv'}",
        f"Known of them: {' and '.join(known)}{''.join(without)}.",
        *(f"Left out, {reason}: {_some(names)}." for reason, names in cohort.left_out.items()),
    ]


def _how_to_correct(output: Path) -> str:
    return (
        f"Open a slide in QuPath, without the objects of the run, and drag its .geojson in {output} onto"
        " it: in each dark blue square, Area 1, Area 2, ..., correct the objects until all of it is right."
        " Export all annotations (File > Export objects as GeoJSON) over the same file. docs/suggest.md"
        " has scripts for many slides."
    )


def _how_to_score(suggestion: Suggestion) -> str:
    if scored := suggestion.cohort.scored:
        return f"The split tune scores the new model: {_some(scored)}; nothing was suggested there."
    sheet = suggestion.output / "slides.tsv"
    groups: dict[str, list[str]] = {}
    for area in reversed(suggestion.areas):  # those that teach least
        names = groups.setdefault(area.candidate.patient, [])
        if area.name not in names:
            names.append(area.name)
    if len(groups) < 2:
        return (
            f"No slide scores the new model: add one with labels of its own to {sheet}, in the split"
            " tune."
        )
    wanted = max(len(groups) // TUNE_SHARE, 1)
    names = [name for group in list(groups.values())[:wanted] for name in group]
    return (
        f"No slide scores the new model: in {sheet}, change train to tune for some that are corrected,"
        f" such as {_some(names)}; nothing is learned from these."
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return shown if len(names) <= SHOWN else f"{shown} and {len(names) - SHOWN} more"
