"""Average the weights of models for `screen`: `python mean_weights.py SLIDES FOLDER MODEL MODEL ...`.

Networks that began from the same weights and learned from slides with different dirt take different
dirt for tissue; the mean of their weights does so less than each of them (model soups, Wortsman et al.
2022, https://arxiv.org/abs/2203.05482). But it hesitates to call what is rare: the score of each class
but glass and tissue gets an offset, with which the mean Dice on the tune slides in SLIDES is highest.
"""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import torch
from PIL import Image

from lds_path.models.checkpoint import load_model, save_model

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.network.segmenter import Segmenter

STEPS = (0.6, 0.6, 0.3, 0.3, 0.15, 0.15)
"""By how much offsets are changed, in turn, where it helps."""
COMMON = ("Glass", "Tissue")


@click.command()
@click.argument("slides", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("models", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
def main(slides: Path, folder: Path, models: tuple[Path, ...]) -> None:
    """Write the mean of MODELS into FOLDER, with the card of the first."""
    loaded = [load_model(model) for model in models]
    segmenter, card = loaded[0]
    segmenter.load_state_dict(_mean([each.state_dict() for each, _ in loaded]))
    names = [item.name for item in card.classes]
    scores, labels = _classify_tune_slides(segmenter, slides, len(names))
    offsets, dice = find_offsets(scores, labels, np.array([name not in COMMON for name in names]))
    last = segmenter.network.get_submodule("head")
    with torch.no_grad():
        last.get_parameter("bias").add_(torch.from_numpy(offsets).float())
    folder.mkdir(parents=True, exist_ok=True)
    found = {name: round(float(value), 4) for name, value in zip(names, dice, strict=True)}
    save_model(folder, segmenter, replace(card, scores={"tune_dice": found}))
    click.echo(f"offsets {offsets.round(2).tolist()}, Dice {found}")


def find_offsets(
    scores: NDArray[np.float32], labels: NDArray[np.int64], is_rare: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the offsets of the classes, (C,), and their Dice with these, (C,).

    Parameters
    ----------
    scores
        Of pixels, (C, N).
    labels
        Classes of the pixels, from 0, (N,).
    is_rare
        Classes that get an offset, (C,).
    """
    offsets = np.zeros(len(scores))
    best = _dice(scores, labels, offsets)
    each = np.eye(len(scores))[is_rare]
    for step in STEPS:
        for change in np.concatenate([each, -each]) * step:
            dice = _dice(scores, labels, offsets + change)
            if dice.mean() > best.mean():
                offsets, best = offsets + change, dice
    return offsets, best


def _dice(
    scores: NDArray[np.float32], labels: NDArray[np.int64], offsets: NDArray[np.float64]
) -> NDArray[np.float64]:
    found = (scores + offsets[:, None].astype(np.float32)).argmax(axis=0)
    count = len(scores)
    both = np.bincount(labels * count + found, minlength=count**2).reshape(count, count)
    return np.asarray(2 * np.diag(both) / (both.sum(axis=0) + both.sum(axis=1)))


def _mean(weights: list[dict[str, torch.Tensor]]) -> dict[str, torch.Tensor]:
    """Return the mean of tensors by name; counts of batches are those of the first."""
    return {
        name: torch.stack([item[name] for item in weights]).mean(dim=0)
        if tensor.is_floating_point()
        else tensor
        for name, tensor in weights[0].items()
    }


def _classify_tune_slides(
    segmenter: Segmenter, folder: Path, class_count: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the scores, (C, N), and the classes from 0, (N,), of what is labelled."""
    scores, labels = [], []
    with (folder / "slides.tsv").open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream, delimiter="\t") if row["split"] == "tune"]
    for row in rows:
        with Image.open(folder / row["path"]) as image:
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
        with Image.open(folder / row["labels"]) as image:
            known = np.asarray(image)
        with torch.inference_mode():
            found = segmenter.classify(pixels, pixels.new_zeros(0))[0].numpy()
        is_known = (known >= 1) & (known <= class_count)
        scores.append(found[:, is_known])
        labels.append(known[is_known].astype(np.int64) - 1)
    return np.concatenate(scores, axis=1), np.concatenate(labels)


if __name__ == "__main__":
    main()
