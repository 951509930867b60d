"""Put the scores of all jobs of the study into docs/benchmarks.md; its last job."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import yaml
from page import write_section
from run import STUDY

PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"


@click.command()
@click.argument("output", type=click.Path(path_type=Path))
@click.argument("jobs", type=click.Path(path_type=Path), nargs=-1, required=True)
def main(output: Path, jobs: tuple[Path, ...]) -> None:
    """Write the tables of JOBS to OUTPUT and into the page."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in jobs]
    study = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
    text = "\n\n".join(
        table(name, one["about"], [record for record in records if record["set"] == name])
        for name, one in study["sets"].items()
    )
    output.write_text(text + "\n", encoding="utf-8")
    write_section(PAGE, "study", text)


def table(name: str, about: str, records: list[dict[str, Any]]) -> str:
    """Return the table of a set: a row a variant, with the mean of its seeds."""
    variants = list(dict.fromkeys(record["variant"] for record in records))
    scores = {
        variant: np.array([r["iou"] for r in records if r["variant"] == variant], np.float64)
        for variant in variants
    }  # variant -> (seeds, classes)
    baseline = np.nanmean(scores["uniform"], axis=1).mean()
    lines = [
        f"### {name}",
        "",
        about,
        "",
        "| variant | mIoU | seeds | to uniform | ceiling | "
        + " | ".join(records[0]["classes"])
        + " |",
        "| --- |" + " ---: |" * (4 + len(records[0]["classes"])),
    ]
    for variant, iou in scores.items():
        mean = np.nanmean(iou, axis=1)
        own = [record for record in records if record["variant"] == variant]
        ceiling = np.nanmean([record["ceiling_iou"] for record in own])
        cells = [
            f"{mean.mean():.3f}",
            " ".join(f"{one:.3f}" for one in mean),
            f"{100 * (mean.mean() - baseline):+.1f}" if variant != "uniform" else "",
            f"{ceiling:.3f}",
            *(f"{one:.3f}" for one in np.nanmean(iou, axis=0)),
        ]
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
