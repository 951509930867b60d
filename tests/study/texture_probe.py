"""What texture beside the colour of a sample would bring, before anything is built for it.

A small UNet learns from samples on a uniform grid, once from their colours alone, and once from their
colours and moments of the pixels that they stand for: spread of optical density, energy of haematoxylin in two
bands, share of dark pixels. Area means make both, so that pyramids could hold them.

    PYTHONPATH=tests/study python tests/study/texture_probe.py --folder build/texture build/study/sets/colon

The folders are prepared sets of the study. Each training is kept in a JSON file; an interrupted probe goes on
where it was, and `--table` prints what there is.
"""

from __future__ import annotations

import csv
import json
import statistics
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import tifffile
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from monai.networks.nets import UNet
from PIL import Image
from scipy.ndimage import gaussian_filter
from sets import COLON_MPP, SETS, SHEET_NAME, class_names
from skimage.color import rgb2hed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

PHASES = 4
"""Places of a sample within its pitch, along each axis, that a training sees."""
CROP = 32
"""Samples a side."""
BANDS_UM = (1.0, 2.5)
"""Standard deviations of the Gaussians between which the energy of haematoxylin is measured."""
DARK = 0.6
"""Optical density from which a pixel counts as dark."""
INPUTS = {"colour": slice(0, 3), "colour and texture": slice(0, 9)}
STEPS, BATCH, RATE = 600, 16, 3e-3


@dataclass(frozen=True)
class Maps:
    """A slide on a grid `PHASES` times as fine as that of the samples."""

    values: Tensor
    """Means over a pitch, (9, H, W): three of colour, six of texture."""
    shares: Tensor
    """Area share of each class over a pitch, (C, H, W)."""


@click.command()
@click.argument("sets", nargs=-1, type=click.Path(exists=True, path_type=Path))
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="For the scores.")
@click.option("--pitch", "pitches", multiple=True, default=(16.0, 8.0), show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--table", is_flag=True, help="Train nothing, print what there is.")
def main(
    sets: tuple[Path, ...], folder: Path, pitches: tuple[float, ...], seeds: int, table: bool
) -> None:
    """Train on the prepared SETS what is missing, then print the table."""
    folder.mkdir(parents=True, exist_ok=True)
    for data, pitch in product(() if table else sets, pitches):
        jobs = {
            folder / f"{data.name}-{pitch:g}-{inputs.replace(' ', '-')}-{seed}.json": (inputs, seed)
            for seed, inputs in product(range(1, seeds + 1), INPUTS)
        }
        missing = {record: job for record, job in jobs.items() if not record.exists()}
        if not missing:
            continue
        slides = {split: list(read_maps(data, split, pitch)) for split in ("train", "test")}
        for record, (inputs, seed) in missing.items():
            iou = train(slides["train"], slides["test"], INPUTS[inputs], seed)
            row = {"set": data.name, "pitch": pitch, "inputs": inputs, "seed": seed, "iou": iou}
            record.write_text(json.dumps(row))
            click.echo(row)
    click.echo(make_table(folder))


def read_maps(data: Path, split: str, pitch: float) -> Iterator[Maps]:
    """Yield the slides of a split."""
    mpp = COLON_MPP if data.name == "colon" else SETS[data.name].image_mpp
    stride = round(pitch / mpp / PHASES)
    with (data / SHEET_NAME).open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream, delimiter="\t") if row["split"] == split]
    for row in rows:
        pixels, labels = (_read(data / row[key]) for key in ("path", "labels"))
        values = np.concatenate((pixels / np.float32(255), texture(pixels, mpp)), axis=2)
        classes = range(1, len(class_names(data.name)) + 1)
        shares = np.stack([labels == value for value in classes], axis=2).astype(np.float32)
        yield Maps(_box_means(values, stride), _box_means(shares, stride))


def texture(pixels: NDArray[np.uint8], mpp: float) -> NDArray[np.float32]:
    """Return what is averaged beside the colour, (H, W, 6), of pixels (H, W, 3).

    The squares of the optical density of each channel become its spread in `_box_means`.
    """
    density = -np.log((pixels.astype(np.float32) + 1) / 256)
    stain = rgb2hed(pixels)[..., 0].astype(np.float32)
    fine, coarse = (gaussian_filter(stain, um / mpp) for um in BANDS_UM)
    bands = [np.square(stain - fine), np.square(fine - coarse)]
    dark = (density.mean(axis=2) > DARK).astype(np.float32)
    mean = density.mean(axis=2)
    low = gaussian_filter(mean, 8 / mpp)
    spread = [np.square(mean - low), np.square(density[..., 0] - density[..., 2])]
    return np.stack([*spread, *(1e3 * band for band in bands), dark, mean], axis=2)


def train(learned: Sequence[Maps], scored: Sequence[Maps], inputs: slice, seed: int) -> list[float]:
    """Train on slides and return the IoU of each class on others, in samples."""
    torch.manual_seed(seed)
    random = np.random.default_rng(seed)
    channels = torch.cat([one.values[inputs].flatten(1) for one in learned], dim=1)
    mean, std = channels.mean(dim=1), channels.std(dim=1)
    count = len(learned[0].shares)
    network = UNet(
        2, inputs.stop, count, (32, 64, 128, 128), (2, 2, 2), num_res_units=1, norm="batch"
    )
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS)
    for _ in range(STEPS):
        values, shares = draw(learned, inputs, random)
        logits = network(normalise(values, mean, std))
        known = shares.sum(dim=1, keepdim=True)
        loss = -(shares * F.log_softmax(logits, dim=1)).sum() / known.sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return score(network.eval(), scored, inputs, mean, std)


def draw(
    slides: Sequence[Maps], inputs: slice, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return crops of values (B, C, h, w) and shares, at any place, turned, with other colours."""
    crops: list[Tensor] = []
    while len(crops) < BATCH:
        one = slides[int(random.integers(len(slides)))]
        side = CROP * PHASES
        top, left = (
            int(random.integers(max(length - side, 0) + 1)) for length in one.values.shape[1:]
        )
        part = np.s_[:, top : top + side : PHASES, left : left + side : PHASES]
        shares = one.shares[part]
        if shares.sum() < 0.05 * shares[0].numel():
            continue
        both = torch.cat((one.values[inputs][part], shares))
        both = F.pad(both, (0, CROP - both.shape[2], 0, CROP - both.shape[1]))
        both = torch.rot90(both, int(random.integers(4)), (1, 2))
        crops.append(both.flip(2) if random.random() < 0.5 else both)
    batch = torch.stack(crops)
    values, shares = batch[:, : inputs.stop], batch[:, inputs.stop :]
    gains = np.exp(random.normal(0, 0.1, (BATCH, inputs.stop, 1, 1))).astype(np.float32)
    return values * torch.from_numpy(gains), shares


def normalise(values: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Return values, (B, C, h, w), as the network takes them."""
    return (values - mean[:, None, None]) / std[:, None, None]


@torch.inference_mode()
def score(
    network: torch.nn.Module, slides: Sequence[Maps], inputs: slice, mean: Tensor, std: Tensor
) -> list[float]:
    """Return the IoU of each class on samples of which most is labelled."""
    hits = predicted = reference = torch.zeros(len(slides[0].shares))
    for one in slides:
        values = one.values[inputs, ::PHASES, ::PHASES][None]
        shares = one.shares[:, ::PHASES, ::PHASES]
        height, width = values.shape[2:]
        padded = F.pad(normalise(values, mean, std), (0, -width % 8, 0, -height % 8))
        chosen = network(padded)[0, :, :height, :width].argmax(dim=0)
        labels = torch.where(shares.sum(dim=0) > 0.5, shares.argmax(dim=0), -1)
        for number in range(len(shares)):
            is_chosen, is_labelled = (chosen == number) & (labels >= 0), labels == number
            hits = (
                hits + F.one_hot(torch.tensor(number), len(hits)) * (is_chosen & is_labelled).sum()
            )
            predicted = predicted + F.one_hot(torch.tensor(number), len(hits)) * is_chosen.sum()
            reference = reference + F.one_hot(torch.tensor(number), len(hits)) * is_labelled.sum()
    return (hits / (predicted + reference - hits)).tolist()


def make_table(folder: Path) -> str:
    """Return the mIoU, mean and spread over seeds, as a Markdown table."""
    found: dict[tuple[str, float], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.glob("*.json")):
        row = json.loads(path.read_text())
        found[row["set"], row["pitch"]][row["inputs"]].append(statistics.fmean(row["iou"]))
    lines = ["| set | pitch, um | " + " | ".join(INPUTS) + " |", "| --- | ---: |" + " ---: |" * 2]
    for (name, pitch), by_inputs in sorted(found.items()):
        cells = [
            f"{statistics.fmean(values):.3f} ({min(values):.3f} to {max(values):.3f})"
            for values in (by_inputs[inputs] for inputs in INPUTS)
            if values
        ]
        lines.append(f"| {name} | {pitch:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _read(path: Path) -> NDArray[np.uint8]:
    if path.suffix == ".tif":
        pixels: NDArray[np.uint8] = tifffile.imread(path)
        return pixels
    with Image.open(path) as image:
        return np.asarray(image)


def _box_means(values: NDArray[np.float32], stride: int) -> Tensor:
    """Return the means of (H, W, C) over a pitch, `PHASES` strides, at every stride, (C, h, w)."""
    tensor = torch.from_numpy(values).permute(2, 0, 1)[None]
    fine = F.avg_pool2d(tensor, stride)
    return F.avg_pool2d(fine, PHASES, stride=1)[0]


if __name__ == "__main__":
    main()
