"""What a gate per slide or per region could gain over one strength of the warp for a whole model.

A model of the study is trained where it is missing; each region of its slides to tune by is then segmented with
every strength. The oracles choose by the true error. The prediction chooses by what a ridge regression expects from
the scores of two passes, learned on the other slides: more than a gate could know before it has paid for both.

    PYTHONPATH=tests/study python tests/study/gate_oracle.py --data build/study/sets/colon --name colon \\
      --variant gated --seed 1 --folder build/gate
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import torch
from run import read_variant, train_variant
from sets import SHEET_NAME

from lds_path.learning.data.labelled_regions import RegionCache
from lds_path.learning.data.training_set import find_slides, open_training_set
from lds_path.learning.recipe import Recipe
from lds_path.learning.trainer import STRENGTHS
from lds_path.learning.tuning.score import dice_of, score_regions, segment_region
from lds_path.models.checkpoint import load_model
from lds_path.reference.legend import Legend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.network.segmenter import Segmenter

CACHE_MIB = 4096
RIDGE = 10.0
CPU = torch.device("cpu")


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--name", required=True, help="Of the set.")
@click.option("--variant", default="gated", show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="For the model.")
def main(data: Path, name: str, variant: str, seed: int, folder: Path) -> None:
    """Print the mean Dice of each strength, of the oracles, and of what can be predicted."""
    layout, settings, _ = read_variant(name, variant)
    model = folder / f"{name}-{variant}-{seed}"
    if not (model / "model.json").exists():
        train_variant(data, name, layout, model, settings | {"seed": seed})
    segmenter, card = load_model(model)
    found = find_slides(
        data / SHEET_NAME, tile=data / "tile", detect=data / "detect" / layout, base=data
    )
    legend = Legend(card.class_names)
    regions = open_training_set(found["tune"], legend, threads=1, for_scores=True).regions
    cache = RegionCache(regions, card.network, mib=CACHE_MIB, for_scores=True)
    confusions, passes = measure(segmenter, cache)
    slides = np.array([one.slide for one in regions])
    for line in compare(confusions, passes, slides):
        click.echo(line)


def measure(
    segmenter: Segmenter, cache: RegionCache
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the confusions, (strengths, regions, C + 1, C + 1), and what the passes say of each region.

    The latter are the mean probability of the label, and the share and spread of the first class,
    (strengths, regions, 3).
    """
    spec, lattice = segmenter.spec, cache.regions[0].region.lattice
    confusions, passes = [], []
    for strength in STRENGTHS:
        segmenter.spec = replace(spec, warp_strength=strength)
        scores = score_regions(segmenter, cache, lattice, CPU, recipe=Recipe(), on_pixels=True)
        confusions.append(scores.confusion)
        rows = []
        for index in range(len(cache)):
            output = segment_region(segmenter, cache, index, lattice, CPU)
            chances = torch.softmax(output.logits[0].float(), dim=0)
            rows.append([chances.amax(dim=0).mean(), chances[0].mean(), chances[0].std()])
        passes.append(rows)
    segmenter.spec = spec
    return np.array(confusions), np.array(passes)


def compare(
    confusions: NDArray[np.float64], passes: NDArray[np.float64], slides: NDArray[np.str_]
) -> list[str]:
    """Return a line for each way to choose a strength."""
    wrong = confusions.sum(axis=(2, 3)) - np.trace(confusions, axis1=2, axis2=3)
    every = np.arange(wrong.shape[1])
    lines = [
        _line(f"strength {strength:g}", confusions[number])
        for number, strength in enumerate(STRENGTHS)
    ]
    by_slide = {one: wrong[:, slides == one].sum(axis=1).argmin() for one in set(slides)}
    chosen = np.array([by_slide[one] for one in slides])
    lines.append(_line("oracle, a slide", confusions[chosen, every]))
    lines.append(_line("oracle, a region", confusions[wrong.argmin(axis=0), every]))
    expected = predict(passes.transpose(1, 0, 2).reshape(len(every), -1), wrong.T, slides)
    lines.append(_line("predicted, a region", confusions[expected.argmin(axis=1), every]))
    return lines


def predict(
    known: NDArray[np.float64], wrong: NDArray[np.float64], slides: NDArray[np.str_]
) -> NDArray[np.float64]:
    """Return the error expected of each strength, (regions, strengths), learned on the other slides."""
    inputs = np.c_[(known - known.mean(axis=0)) / known.std(axis=0), np.ones(len(known))]
    penalty = RIDGE * np.eye(inputs.shape[1])
    expected = np.empty_like(wrong)
    for slide in set(slides):
        others = slides != slide
        left = inputs[others].T @ inputs[others] + penalty
        weights = np.linalg.solve(left, inputs[others].T @ wrong[others])
        expected[~others] = inputs[~others] @ weights
    return expected


def _line(name: str, confusions: NDArray[np.float64]) -> str:
    return f"| {name} | {np.nanmean(dice_of(confusions.sum(axis=0))):.4f} |"


if __name__ == "__main__":
    main()
