"""What a second, finer look would gain where a first one expects to be wrong, before anything is built for it.

Two models of the study segment the same regions, one on a coarse and one on a fine lattice. Windows of
the regions then take the fine prediction: those where it is truly better (the oracle), those where the first is truly
wrong, those that its entropy names, those for which a small network expects a gain, learned on the slides
to tune by from what the first pass knows, and windows at random. mIoU on the slides to test.

    PYTHONPATH=tests/study python tests/study/look_again.py --data build/study/sets/colon --name colon \\
      --coarse texture-and-warp --fine texture-and-warp-fine --models build/models
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
import numpy as np
import torch
from run import read_variant
from sets import SHEET_NAME
from torch import nn

from lds_path.geometry import Size
from lds_path.learning.data.labelled_regions import RegionCache
from lds_path.learning.data.training_set import find_slides, open_training_set
from lds_path.learning.tuning.score import segment_region
from lds_path.models.checkpoint import load_model
from lds_path.reference.legend import Legend
from lds_path.unwarp.blend import unwarp

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.learning.lattice_output import LatticeOutput

WINDOWS = 4
"""Along each side of a region."""
SHARES = (0.1, 0.2, 0.3, 0.5)
"""Of the windows, that are looked at again."""
STEPS = 500
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Pass:
    """What a model makes of the windows of all regions."""

    confusion: NDArray[np.float64]
    """(windows, C, C), in pixels."""
    known: NDArray[np.float64]
    """What the pass knows of each window, (windows, features)."""

    @property
    def wrong(self) -> NDArray[np.float64]:
        """Wrong pixels of each window."""
        found: NDArray[np.float64] = self.confusion.sum(axis=(1, 2))
        found -= np.trace(self.confusion, axis1=1, axis2=2)
        return found


@click.command()
@click.option("--data", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--name", required=True, help="Of the set.")
@click.option("--coarse", default="texture-and-warp", show_default=True, help="Variant.")
@click.option("--fine", default="texture-and-warp-fine", show_default=True, help="Variant.")
@click.option("--seed", default=1, show_default=True)
@click.option("--models", type=click.Path(path_type=Path), required=True, help="As run.py --keep.")
def main(data: Path, name: str, coarse: str, fine: str, seed: int, models: Path) -> None:
    """Print the mIoU for each way to choose windows and each share of them."""
    passes = {
        (variant, split): run_pass(data, name, variant, models / f"{name}-{variant}-{seed}", split)
        for variant in (coarse, fine)
        for split in ("tune", "test")
    }
    tune, test = passes[coarse, "tune"], passes[coarse, "test"]
    gain_tune = tune.wrong - passes[fine, "tune"].wrong
    second = passes[fine, "test"]
    orders = {
        "oracle, gain": test.wrong - second.wrong,
        "oracle, error": test.wrong,
        "expected gain": expect(tune.known, gain_tune, test.known),
        "entropy": test.known[:, 0],
        "random": np.random.default_rng(0).random(len(test.wrong)),
    }
    click.echo(f"| chosen by | 0 | {' | '.join(map(str, SHARES))} | 1 |")
    for way, order in orders.items():
        cells = []
        for share in (0, *SHARES, 1):
            again = np.zeros(len(order), bool)
            again[np.argsort(-order)[: round(share * len(order))]] = True
            chosen = np.where(again[:, None, None], second.confusion, test.confusion)
            cells.append(f"{mean_iou(chosen.sum(axis=0)):.4f}")
        click.echo(f"| {way} | {' | '.join(cells)} |")


def run_pass(data: Path, name: str, variant: str, model: Path, split: str) -> Pass:
    """Return what a model makes of the slides of a split."""
    layout, _, _ = read_variant(name, variant)
    segmenter, card = load_model(model)
    with TemporaryDirectory() as folder:
        sheet = Path(folder) / SHEET_NAME
        write_sheet(data / SHEET_NAME, split, sheet)
        found = find_slides(sheet, tile=data / "tile", detect=data / "detect" / layout, base=data)
    legend = Legend(card.class_names)
    regions = open_training_set(found["tune"], legend, threads=1).regions
    cache = RegionCache(regions, card.network, mib=1)
    rows = [
        read_windows(segment_region(segmenter, cache, index, regions[0].region.lattice, CPU))
        for index in range(len(regions))
    ]
    confusion, known = (np.concatenate(part) for part in zip(*rows, strict=True))
    return Pass(confusion, known)


def write_sheet(sheet: Path, split: str, output: Path) -> None:
    """Write a sheet in which the slides of a split are those to tune by."""
    with sheet.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    with output.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0], delimiter="\t")
        writer.writeheader()
        for row in rows:
            if row["split"] in ("train", split):
                as_tune = "tune" if row["split"] == split else "train"
                writer.writerow(row | {"split": as_tune})


def read_windows(
    output: LatticeOutput,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return confusions and what is known of the windows of a region."""
    shares = output.batch.fractions[0][0].numpy() / 255  # (C, H, W)
    size = Size(shares.shape[2], shares.shape[1])
    logits = output.logits[0].float()
    chances = unwarp(torch.softmax(logits, dim=0).numpy(), output.grid[0].numpy(), size)
    labels = chances.argmax(axis=0)
    entropy = -(chances * np.log(np.maximum(chances, 1e-6))).sum(axis=0)
    likeliest = chances.max(axis=0)
    slope = np.hypot(*np.gradient(chances[0]))
    level = output.batch.levels[-1][0].float().numpy()  # (3, h, w)
    confusions, known = [], []
    for row, column in np.ndindex(WINDOWS, WINDOWS):
        part, coarse = (
            np.s_[
                row * height // WINDOWS : (row + 1) * height // WINDOWS,
                column * width // WINDOWS : (column + 1) * width // WINDOWS,
            ]
            for height, width in (shares.shape[1:], level.shape[1:])
        )
        count = len(shares)
        confusion = np.zeros((count, count))
        for value in range(count):
            confusion[:, value] = shares[:, *part][:, labels[part] == value].sum(axis=1)
        confusions.append(confusion)
        colours = level[:, *coarse]
        known.append(
            [
                entropy[part].mean(),
                entropy[part].std(),
                likeliest[part].mean(),
                (likeliest[part] < 0.75).mean(),
                chances[0][part].mean(),
                chances[0][part].std(),
                slope[part].mean(),
                *colours.mean(axis=(1, 2)),
                *colours.std(axis=(1, 2)),
                entropy.mean(),
                chances[0].mean(),
            ]
        )
    return np.array(confusions), np.array(known)


def expect(
    known: NDArray[np.float64], gain: NDArray[np.float64], asked: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the gain that a small network expects, learned from windows of which it is known."""
    torch.manual_seed(0)
    mean, std = known.mean(axis=0), known.std(axis=0) + 1e-6
    inputs = torch.tensor((known - mean) / std, dtype=torch.float32)
    wanted = torch.tensor(gain / gain.std(), dtype=torch.float32)
    network = nn.Sequential(nn.Linear(inputs.shape[1], 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.AdamW(network.parameters(), 3e-3, weight_decay=0.1)
    for _ in range(STEPS):
        loss = nn.functional.mse_loss(network(inputs)[:, 0], wanted)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.inference_mode():
        return network(torch.tensor((asked - mean) / std, dtype=torch.float32))[:, 0].numpy()


def mean_iou(confusion: NDArray[np.float64]) -> float:
    """Return the mean IoU of a confusion, (C, C)."""
    hits = np.diagonal(confusion)
    return float(np.mean(hits / (confusion.sum(axis=0) + confusion.sum(axis=1) - hits)))


if __name__ == "__main__":
    main()
