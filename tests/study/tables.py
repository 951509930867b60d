"""Put the scores of all jobs of the study into a page of docs/; its last job."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import yaml
from matplotlib.figure import Figure
from page import write_section
from paired import gain_interval
from sets import STUDY

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCS = Path(__file__).parents[2] / "docs"
NAME = STUDY.stem
"""Of the section, the picture and the records."""
PAGE = DOCS / {"study": "trials.md"}.get(NAME, "sampling.md")
PICTURE = DOCS / f"{NAME}.svg"
RECORDS = DOCS / f"{NAME}.jsonl"
"""What the tables are made from: a line for each job of any run."""
BASELINE = "uniform"
_LAYOUTS = ("coarse", "whole", "fine", "finer", "finest", "full")
_HEADINGS = (
    "A quarter as many samples",
    "As many samples as the layout `whole` has",
    "Four times as many",
    "Sixteen times as many",
    "Sixty-four times as many",
    "A sample for each pixel of about 1 um",
    "What each part brings, with the few samples of the first table",
)
_WHOLE = _LAYOUTS.index("whole")
_WITH_TEXTURE = {
    "coarse-texture": "coarse", "texture": "whole", "fine-texture": "fine", "finer-texture": "finer",
}  # fmt: skip
"""Layout whose samples carry texture -> layout with as many samples."""
_ABLATION = len(_HEADINGS) - 1
_BESIDE = (BASELINE, "shared-features")
"""Rows that the last table repeats."""


@dataclass(frozen=True)
class Row:
    """One way to spend one number of samples, over all seeds."""

    name: str
    tier: int
    """Table that it stands in, of `_HEADINGS`."""
    samples: float
    """Of an image."""
    seconds: float
    """To plan, segment and stitch an image on one core; NaN where that was not timed."""
    iou: np.ndarray
    """(seeds, classes)."""
    ceiling: float
    confusions: np.ndarray | None = None
    """(seeds, slides, C + 1, C + 1), of the seeds of which those of each slide were kept."""

    @property
    def mean(self) -> float:
        """Mean over classes, then seeds."""
        return float(np.nanmean(self.iou, axis=1).mean())


@click.command()
@click.argument("output", type=click.Path(path_type=Path))
@click.argument("jobs", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--trial", is_flag=True, help="Write OUTPUT alone, from JOBS alone.")
def main(output: Path, jobs: tuple[Path, ...], trial: bool) -> None:
    """Write the tables of JOBS to OUTPUT and into the page, and draw the picture.

    Jobs of earlier runs whose like is not among JOBS stay in the tables.
    """
    found_now = [json.loads(path.read_text(encoding="utf-8")) for path in jobs]
    everything = found_now if trial else remember(RECORDS, found_now)
    records = [one for one in everything if "variant" in one]
    ceilings = {one["set"]: one["ceilings"] for one in everything if "ceilings" in one}
    times = {one["set"]: one["times"] for one in everything if "times" in one}
    study = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
    rows = {
        name: read_rows(
            [record for record in records if record["set"] == name],
            times.get(name, ()),
            ablations=one["ablations"],
        )
        for name, one in study["sets"].items()
    }
    classes = {record["set"]: record["classes"] for record in records}
    text = "\n\n".join(
        table(name, study["sets"][name]["about"], found, classes[name])
        + ceiling_table(ceilings.get(name, ()))
        for name, found in rows.items()
        if found
    )
    output.write_text(text + "\n", encoding="utf-8")
    if not trial:
        draw(rows)
        picture = f"![mIoU against samples and seconds]({PICTURE.name})"
        write_section(PAGE, NAME, f"{text}\n\n{picture}")


def remember(path: Path, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put records into a file of one JSON object a line, in place of their like; return all."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    known = {_key(one): one for one in [*map(json.loads, lines), *records]}
    kept = [known[key] for key in sorted(known)]
    path.write_text("".join(json.dumps(one) + "\n" for one in kept), encoding="utf-8")
    return kept


def _key(record: dict[str, Any]) -> tuple[str, str, int]:
    kind = next((kind for kind in ("ceilings", "times") if kind in record), "")
    return record["set"], record.get("variant", kind), record.get("seed", 0)


def read_rows(
    records: Sequence[dict[str, Any]],
    times: Sequence[dict[str, Any]],
    ablations: Sequence[str],
) -> list[Row]:
    """Return a row for each variant and budget of a set, those of few samples first."""
    seconds = {
        (one["variant"], one["budget"]): one["plan"] + one["segment"] + one["stitch"]
        for one in times
    }
    found: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for record in records:
        for one in record["scores"]:
            key = (record["variant"], record["layout"], one["budget"])
            found.setdefault(key, []).append(one)
    rows = [
        Row(
            name=_name(variant, layout, budget),
            tier=_ABLATION
            if variant in ablations
            else _tier(layout, budget, [key[2] for key in found if key[:2] == (variant, layout)]),
            samples=float(np.mean([one["samples"] for one in scores])),
            seconds=seconds.get((variant, budget), np.nan),
            iou=np.array([one["iou"] for one in scores], np.float64),
            ceiling=float(np.nanmean([one["ceiling_iou"] for one in scores])),
            confusions=_confusions(scores),
        )
        for (variant, layout, budget), scores in found.items()
    ]
    return sorted(rows, key=lambda row: row.tier)


def _confusions(scores: Sequence[dict[str, Any]]) -> np.ndarray | None:
    kept = [one["confusions"] for one in scores if "confusions" in one]
    if not kept:
        return None
    slides = sorted(kept[0])
    return np.array([[one[slide] for slide in slides] for one in kept], np.int64)


def _name(variant: str, layout: str, budget: str) -> str:
    if layout == "parts" and budget == "uniform":
        return f"{variant}, equal lattices"
    return re.sub("-(coarse|fine|finer|finest|full)(-long)?$", r"\2", variant)


def _tier(layout: str, budget: str, budgets: Sequence[str]) -> int:
    """Return which number of samples a score belongs to: equal lattices are the smaller."""
    if layout != "parts":
        return _LAYOUTS.index(_WITH_TEXTURE.get(layout, layout))
    return _WHOLE + max(0, budgets.index(budget) - 1)


def table(name: str, about: str, rows: Sequence[Row], classes: Sequence[str]) -> str:
    """Return the tables of a set: a row a variant, with the mean of its seeds."""
    lines = [f"### {name}", "", about]
    uniform = [row for row in rows if row.name == BASELINE]
    for tier in sorted({row.tier for row in rows}):
        chosen = [row for row in rows if row.tier == tier]
        if tier == _ABLATION:
            chosen = [row for row in rows if row.tier == _WHOLE and row.name in _BESIDE] + chosen
        baseline = next((row for row in chosen if row.name == BASELINE), None)
        lines += [
            "",
            f"{_HEADINGS[tier]}:",
            "",
            "| variant | samples | s | mIoU | seeds | to uniform | uniform in this time | ceiling | "
            + " | ".join(classes)
            + " |",
            "| --- |" + " ---: |" * (7 + len(classes)),
        ]
        lines += [_line(row, baseline, in_time(row, uniform)) for row in chosen]
    return "\n".join(lines)


def ceiling_table(ceilings: Sequence[dict[str, Any]]) -> str:
    """Return what the reference labels keep on their way to the samples and back."""
    if not ceilings:
        return ""
    lines = [
        "",
        "",
        "What no network can beat, samples placed by the reference labels themselves:",
        "",
        "| layout | samples | lattices | uniform grids | grids of an edge oracle |",
        "| --- | ---: | --- | ---: | ---: |",
    ]
    key = ("layout", "way", "side")
    for one in ceilings:
        if one["warp"]:
            continue
        other = next(o for o in ceilings if o["warp"] and all(o[k] == one[k] for k in key))
        means = [f"{np.nanmean(np.array(each['iou'], float)):.3f}" for each in (one, other)]
        lines.append(
            f"| {one['layout']} | {one['samples']} | {one['way']} | {means[0]} | {means[1]} |"
        )
    return "\n".join(lines)


def in_time(row: Row, uniform: Sequence[Row]) -> float:
    """Return the mIoU of uniform grids with as many samples as a row's time pays; NaN if unknown.

    Between the numbers of samples that were tried it is interpolated; beyond them it is the last.
    """
    timed = sorted((one for one in uniform if one.seconds > 0), key=lambda one: one.seconds)
    if row.name == BASELINE or not timed or not row.seconds > 0:
        return np.nan
    best = np.maximum.accumulate([one.mean for one in timed])
    return float(np.interp(row.seconds, [one.seconds for one in timed], best))


def _gain(row: Row, baseline: Row | None) -> str:
    """Return the gain over the uniform grid in points, and its interval over slides where known."""
    if row.name == BASELINE or baseline is None:
        return ""
    gain = f"{100 * (row.mean - baseline.mean):+.1f}"
    if row.confusions is None or baseline.confusions is None:
        return gain
    interval = gain_interval(row.confusions, baseline.confusions)
    if interval is None:
        return gain
    low, high = interval
    return f"{gain} ({100 * low:+.1f} to {100 * high:+.1f})"


def _line(row: Row, baseline: Row | None, rival: float) -> str:
    cells = [
        row.name,
        f"{row.samples:.0f}",
        "" if np.isnan(row.seconds) else f"{row.seconds:.3f}",
        f"{row.mean:.3f}",
        " ".join(f"{one:.3f}" for one in np.nanmean(row.iou, axis=1)),
        _gain(row, baseline),
        "" if np.isnan(rival) else f"{rival:.3f}",
        f"{row.ceiling:.3f}",
        *(f"{one:.3f}" for one in np.nanmean(row.iou, axis=0)),
    ]
    return "| " + " | ".join(cells) + " |"


def draw(rows: dict[str, list[Row]]) -> None:
    """Draw mIoU against samples and against time, a line for each variant of several budgets."""
    figure = Figure(figsize=(9, 3 * len(rows)), layout="constrained")
    for axes, (name, found) in zip(
        figure.subplots(len(rows), 2, squeeze=False), rows.items(), strict=True
    ):
        for axis, column in zip(axes, ("samples", "seconds"), strict=True):
            usual = [row for row in found if row.tier != _ABLATION]
            for variant in dict.fromkeys(row.name for row in usual):
                line = [row for row in usual if row.name == variant]
                axis.plot(
                    [getattr(row, column) for row in line],
                    [row.mean for row in line],
                    "o-" if variant != BASELINE else "ks--",
                    label=variant,
                )
            if column == "samples":
                axis.set_xscale("log")
            axis.set_xlabel(f"{column} an image")
            axis.set_title(name)
        axes[0].set_ylabel("mIoU")
        axes[1].legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(PICTURE, metadata={"Date": None})


if __name__ == "__main__":
    main()
