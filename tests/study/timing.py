"""Time the stages with the models of one set, alone on the machine; a job of the study.

Time hangs on the number of samples and on where they lie, not on how well a model recognises: short
trainings, after which the densities have taken shape, are enough.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import click
import numpy as np
import yaml
from run import read_budgets, read_variant, run_stages, train_variant
from sets import STUDY, count_images, slides_of


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Prepared set.")
@click.option("--name", required=True, help="Of the set.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="JSON.")
@click.option("--split", default="test", show_default=True)
@click.option("--steps", default=200, show_default=True, help="Of each training.")
@click.option("--repeats", default=5, show_default=True)
def main(data: Path, name: str, output: Path, split: str, steps: int, repeats: int) -> None:
    """Write the seconds of an image in each stage, for every headline variant and budget."""
    work = output.parent / f"{output.stem}-work"
    headline = yaml.safe_load(STUDY.read_text(encoding="utf-8"))["sets"][name]["headline"]
    layouts: dict[str, str] = {}
    for variant in headline:
        layout, settings, _ = read_variant(name, variant)
        model = work / variant / "model"
        model.parent.mkdir(parents=True)
        train_variant(data, name, layout, model, settings | {"steps": steps, "tune_every": steps})
        layouts[variant] = layout
    ways = [(one, budget) for one in headline for budget in read_budgets(name, layouts[one])]
    slides = list(slides_of(data, split))
    # All in turn, so that a machine that slows down slows all down. The first turn compiles, and
    # warms caches.
    seconds = [
        [
            time_stages(
                data, layouts[one], work / one / "model", budget, work / one / budget, slides
            )
            for one, budget in ways
        ]
        for _ in range(repeats + 1)
    ]
    middle = np.median(seconds[1:], axis=0) / count_images(name, split)  # (ways, stages)
    found = [
        {"variant": one, "budget": budget}
        | dict(zip(("plan", "segment", "stitch"), stages, strict=True))
        for (one, budget), stages in zip(ways, middle.round(4).tolist(), strict=True)
    ]
    output.write_text(json.dumps({"set": name, "times": found}, indent=1), encoding="utf-8")
    shutil.rmtree(work)


def time_stages(
    data: Path, layout: str, model: Path, budget: str, folder: Path, slides: list[str]
) -> list[float]:
    """Return the seconds that plan, segment and stitch take for all slides together."""
    manifests = [
        run_stages(data / "tile" / slide, data / "detect" / layout / slide, model, budget, folder)
        for slide in slides
    ]
    shutil.rmtree(folder)
    return [sum(one[stage].seconds for one in manifests) for stage in manifests[0]]


if __name__ == "__main__":
    main()
