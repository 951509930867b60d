"""A plain training loop of PyTorch and MONAI on the slides that `train` learns from: the baseline.

It reads every slide at the pitch of the uniform lattice, draws crops of a lattice's size anywhere in the
annotated area, turns and recolours them, and descends by AdamW on a one-cycle schedule. The Dice on
the regions of the split `tune` is measured as `train` measures it. Seconds are those of all threads
together, which a busy machine changes little.

    python tests/benchmark/plain_loop.py SHEET TILE DETECT --classes Epithelium --classes Stroma
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from monai.losses.dice import DiceLoss

from lds_path.geometry import Size
from lds_path.learning.data.training_set import find_slides, measure_colour, open_training_set
from lds_path.network.architectures.build import build_network
from lds_path.network.spec import NetworkSpec
from lds_path.reference.legend import Legend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from lds_path.learning.data.labelled_regions import LabelledRegion


@dataclass(frozen=True)
class Slide:
    """A slide at the pitch of the samples."""

    image: Tensor
    """(3, H, W), uint8."""
    shares: Tensor
    """Area share of each class, (C, H, W), uint8, 255 is all."""
    annotated: Tensor
    """Rows and columns of the annotated pixels, (2, n), int32."""


@click.command()
@click.argument("sheet", type=click.Path(exists=True, path_type=Path))
@click.argument("tile", type=click.Path(exists=True, path_type=Path))
@click.argument("detect", type=click.Path(exists=True, path_type=Path))
@click.option("--classes", multiple=True, required=True)
@click.option("--architecture", default="UNet", show_default=True)
@click.option("--channels", default="48,64,96,128,160", show_default=True)
@click.option("--steps", default=800, show_default=True)
@click.option("--batch-size", default=8, show_default=True)
@click.option("--learning-rate", default=3e-3, show_default=True)
@click.option("--tune-every", default=100, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--threads", default=2, show_default=True)
@click.option("--output", type=click.Path(path_type=Path), help="JSON of the curve.")
def main(
    sheet: Path,
    tile: Path,
    detect: Path,
    classes: tuple[str, ...],
    architecture: str,
    channels: str,
    steps: int,
    batch_size: int,
    learning_rate: float,
    tune_every: int,
    seed: int,
    threads: int,
    output: Path | None,
) -> None:
    """Train on the split `train` of SHEET, and tell the Dice on `tune` against the seconds."""
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    started = time.process_time()
    legend = Legend(classes)
    slides = find_slides(sheet, base=sheet.parent, tile=tile, detect=detect)
    train, tune = (
        open_training_set(slides[split], legend, threads=threads) for split in ("train", "tune")
    )
    region = train.regions[0].region
    mean, std = measure_colour(train.regions, 2)
    spec = NetworkSpec(
        class_count=len(classes),
        architecture=architecture,
        channels=tuple(map(int, channels.split(","))),
        mean=mean,
        std=std,
    )
    network = build_network(spec).to(memory_format=torch.channels_last)
    by_slide = {labelled.slide: labelled for labelled in train.regions}
    read = [read_slide(labelled, spec.class_count) for labelled in by_slide.values()]
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, steps)
    random = np.random.default_rng(seed)
    curve, scoring = [], 0.0
    click.echo(f"read after {time.process_time() - started:.1f} s")
    for step in range(1, steps + 1):
        network.train()
        image, shares = draw(read, region.lattice, batch_size, random)
        loss = objective(network(normalise(image, spec)), shares)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % tune_every == 0:
            before = time.process_time()
            dice = score(network, spec, tune.regions)
            scoring += time.process_time() - before
            seconds = time.process_time() - started - scoring
            curve.append({"step": step, "seconds": round(seconds, 1), "dice": dice})
            click.echo(f"{step} {seconds:.1f} s loss {loss.item():.3f} Dice {np.mean(dice):.4f}")
    if output:
        output.write_text(json.dumps(curve))


def read_slide(labelled: LabelledRegion, classes: int) -> Slide:
    """Return a slide and its labels at the pitch of the uniform lattice."""
    pyramid, region = labelled.pyramid, labelled.region
    level = round(math.log2(region.size.width / region.lattice.width))
    side = 2**level
    size = Size(pyramid.size.width // side, pyramid.size.height // side)
    image = torch.from_numpy(pyramid.read(level, 0, 0, size)).movedim(-1, 0)
    labels = labelled.reference.read(0, 0, Size(size.width * side, size.height * side))
    blocks = labels.reshape(size.height, side, size.width, side)
    shares = np.stack([(blocks == value + 1).mean((1, 3)) for value in range(classes)])
    annotated = torch.from_numpy(np.stack(np.nonzero(shares.sum(0) > 0.5)).astype(np.int32))
    beyond = (0, region.lattice.width, 0, region.lattice.height)  # the last regions reach beyond
    return Slide(
        F.pad(image, beyond, value=255),
        F.pad(torch.from_numpy((shares * 255).astype(np.uint8)), beyond),
        annotated,
    )


def draw(
    slides: Sequence[Slide], lattice: Size, count: int, random: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Return crops anywhere in the annotated area, turned and recoloured, and their labels."""
    areas = np.array([slide.annotated.shape[1] for slide in slides], float)
    images, shares = [], []
    for index in random.choice(len(slides), count, p=areas / areas.sum()):
        slide = slides[index]
        row, column = slide.annotated[:, random.integers(slide.annotated.shape[1])].tolist()
        _, height, width = slide.image.shape
        top = int(
            min(max(row - random.integers(lattice.height), 0), max(height - 2 * lattice.height, 0))
        )
        left = int(
            min(max(column - random.integers(lattice.width), 0), max(width - 2 * lattice.width, 0))
        )
        part = np.s_[:, top : top + lattice.height, left : left + lattice.width]
        turns, flip = int(random.integers(4)), random.random() < 0.5
        for crops, source in ((images, slide.image), (shares, slide.shares)):
            crop = torch.rot90(source[part], turns, (1, 2))
            crops.append(crop.flip(2) if flip else crop)
    image = torch.stack(images).float() / 255
    stain = torch.tensor(np.exp(random.normal(0, 0.15, (count, 3, 1, 1))), dtype=torch.float32)
    gain = torch.tensor(np.exp(random.normal(0, 0.05, (count, 1, 1, 1))), dtype=torch.float32)
    return gain * image.clamp_min(1 / 255) ** stain, torch.stack(shares).float() / 255


def normalise(image: Tensor, spec: NetworkSpec) -> Tensor:
    """Return images in [0, 1] as the network takes them."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (spec.mean, spec.std))
    return ((image - mean) / std).contiguous(memory_format=torch.channels_last)


def objective(logits: Tensor, shares: Tensor) -> Tensor:
    """Return Dice loss plus cross-entropy with soft labels."""
    labelled = shares.sum(dim=1, keepdim=True)
    dice = DiceLoss(softmax=False, squared_pred=True, batch=True)
    root = labelled.sqrt()
    probability = torch.softmax(logits, dim=1)
    surprise = -(shares * torch.log_softmax(logits, dim=1)).sum() / labelled.sum()
    return dice(probability * root, shares / labelled.clamp_min(1e-6) * root) + surprise


@torch.inference_mode()
def score(
    network: torch.nn.Module, spec: NetworkSpec, regions: Sequence[LabelledRegion]
) -> list[float]:
    """Return the Dice of each class over regions, as `train` measures it on its uniform lattice."""
    network.eval()
    sums = torch.zeros(3, spec.class_count, dtype=torch.float64)
    slides: dict[str, Slide] = {}
    for labelled in regions:
        if labelled.slide not in slides:
            slides = {labelled.slide: read_slide(labelled, spec.class_count)}
        slide, region = slides[labelled.slide], labelled.region
        side = region.size.width // region.lattice.width
        top, left = region.top // side, region.left // side
        part = np.s_[:, top : top + region.lattice.height, left : left + region.lattice.width]
        image, shares = (
            slide.image[part][None].float() / 255,
            slide.shares[part][None].float() / 255,
        )
        logits = network(normalise(image, spec))
        chosen = F.one_hot(logits.argmax(dim=1), spec.class_count).movedim(-1, 1)
        labelled_share = shares.sum(dim=1, keepdim=True)
        for row, values in enumerate((chosen * shares, chosen * labelled_share, shares)):
            sums[row] += values.sum(dim=(0, 2, 3)).double()
    return [round(value, 4) for value in (2 * sums[0] / (sums[1] + sums[2])).tolist()]


if __name__ == "__main__":
    main()
