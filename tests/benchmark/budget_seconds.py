"""How well `plan` predicts the seconds that `segment` then needs, for budgets in seconds.

    python tests/benchmark/budget_seconds.py --folder build/seconds

Ten slides: six painted ones of different sizes and shares of structures, the real slides in the data, and derived
ones. Each gets budgets between what its smallest and its largest lattices need. What the plan knows of the
machine is measured on the first slide of each kind of file, as in a run.
"""

from __future__ import annotations

import os
from pathlib import Path

import click
import numpy as np
from derived_slide import SOURCE, write_derived_slide

from lds_path.options.labels import PlanOptions, SegmentOptions
from lds_path.options.slides import DemoOptions, DetectOptions, TileOptions
from lds_path.provenance.stage_folder import open_folder
from lds_path.stages.demo import SLIDE_NAME, demo
from lds_path.stages.detect import detect
from lds_path.stages.plan import look, plan, slide_costs
from lds_path.stages.segment import segment
from lds_path.stages.tile import tile

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("LDS_PATH_DATA", REPOSITORY.parent / "shared" / "data"))
MODEL = "demo"
PAINTED = {601: (6144, 5120, 1.0), 602: (6144, 5120, 0.15), 603: (12288, 8192, 1.0)}
PAINTED |= {604: (12288, 8192, 0.15), 605: (4096, 4096, 1.0), 606: (8192, 12288, 0.4)}
"""Seed -> width, height and share of structures."""
DERIVED = (8192, 12288, 16384)
SHARES = (0.25, 0.5, 0.75)
"""Of the way from the smallest lattice everywhere to the largest."""


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--threads", default=2, show_default=True)
def main(folder: Path, threads: int) -> None:
    """Plan and segment every slide, and print predicted against needed seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["XDG_CACHE_HOME"] = str(folder.resolve() / "cache")
    click.echo("| slide | regions | budget s | predicted s | needed s | needed / predicted |")
    click.echo("| --- | ---: | ---: | ---: | ---: | ---: |")
    ratios = []
    for name, path in slides(folder).items():
        ratios.append([])
        for budget, planned, needed in run(folder, name, path, threads):
            predicted = planned["predicted_seconds"]
            ratios[-1].append(needed / predicted)
            click.echo(
                f"| {name} | {planned['regions']} | {budget:.2f} | {predicted:.2f} | {needed:.2f} |"
                f" {needed / predicted:.2f} |"
            )
    within = [bool(np.all(np.abs(np.array(one) - 1) <= 0.2)) for one in ratios]
    click.echo(f"within 20 % at every budget: {sum(within)} of {len(within)} slides")


def slides(folder: Path) -> dict[str, Path]:
    """Return the slides, made where they are missing."""
    found = {}
    for seed, (width, height, structured) in PAINTED.items():
        place = folder / f"painted-{seed}"
        if not place.exists():
            demo(place, options=DemoOptions(seed, width, height, structured))
        found[place.name] = place / SLIDE_NAME
    found["CMU-1-Small-Region"] = DATA / "slides" / SOURCE
    for side in DERIVED:
        path = folder / f"derived-{side}.tif"
        if not path.exists():
            write_derived_slide(path, DATA / "slides" / SOURCE, side)
        found[path.stem] = path
    return found


def run(folder: Path, name: str, path: Path, threads: int) -> list[tuple[float, dict, float]]:
    """Return each budget in seconds, what the plan said, and the seconds that were needed."""
    tiled, detected = folder / "tile" / name, folder / "detect" / name
    if not detected.exists():
        for one in (tiled, detected):
            one.parent.mkdir(exist_ok=True)
        tile(path, tiled, options=TileOptions(finest_level=2), strict=True, threads=threads)
        detect(tiled, detected, options=DetectOptions(), strict=True)
    opened = open_folder(tiled)
    expected = look(opened, open_folder(detected), model=MODEL, threads=threads)
    costs = slide_costs(opened, expected, model=MODEL, threads=threads)
    count, top = len(expected.regions), len(expected.sizes) - 1
    least, most = (costs.total(np.full(count, rung)) for rung in (0, top))
    rows = []
    for share in SHARES:
        budget = least + share * (most - least)
        planned, segmented = (folder / stage / f"{name}-{share}" for stage in ("plan", "segment"))
        for one in (planned, segmented):
            one.parent.mkdir(exist_ok=True)
        options = PlanOptions(budget=f"{budget:.3f}s")
        made = plan(tiled, detected, planned, model=MODEL, options=options, threads=threads)
        asked = SegmentOptions(device="cpu")
        done = segment(tiled, planned, segmented, model=MODEL, options=asked, threads=threads)
        rows.append((budget, dict(made.results), done.results["network_seconds"]))
    return rows


if __name__ == "__main__":
    main()
