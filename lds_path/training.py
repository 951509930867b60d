"""Joint training of density network and segmentation network."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from lds_path.errors import TrainingError
from lds_path.network.device import mixed_precision
from lds_path.network.grid import sample_area
from lds_path.network.losses import edge_loss, segmentation_loss
from lds_path.network.warp import warp, warp_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from lds_path.dataset import Batch, RegionCache
    from lds_path.geometry import Size
    from lds_path.network.segmenter import Segmenter

EDGE_DECAY = 0.9
WEIGHT_DECAY = 1e-4
WARM_UP_STEPS = 50
LARGEST_GRADIENT = 5.0
STAIN_JITTER = 0.15
BRIGHTNESS_JITTER = 0.05


@dataclass(frozen=True)
class Recipe:
    """How long and how fast to train."""

    steps: int
    learning_rate: float
    """Highest learning rate of the segmentation network; it rises, then falls as a cosine."""
    density_learning_rate: float
    """The same for the density network."""
    edge_weight: float
    """Weight of the edge loss at the start; it falls to zero at the end."""
    seed: int


@dataclass
class Trainer:
    """Trains a segmenter step by step."""

    segmenter: Segmenter
    lattice: Size
    recipe: Recipe
    device: torch.device
    optimizer: torch.optim.Optimizer = field(init=False)
    scaler: torch.amp.GradScaler = field(init=False)

    def __post_init__(self) -> None:
        recipe = self.recipe
        groups = [
            {"params": self.segmenter.network.parameters(), "lr": recipe.learning_rate},
            {"params": self.segmenter.density.parameters(), "lr": recipe.density_learning_rate},
        ]
        self.optimizer = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.device.type == "cuda")
        self._rates = [float(group["lr"]) for group in self.optimizer.param_groups]

    def step(self, number: int, batch: Batch) -> tuple[float, float]:
        """Learn from one batch.

        Parameters
        ----------
        number
            Number of the step, from 0.
        batch
            Regions with their labels.

        Returns
        -------
        float
            Segmentation loss.
        float
            Edge loss, not weighted.

        Raises
        ------
        TrainingError
            If a loss is not a finite number.
        """
        recipe = self.recipe
        progress = number / recipe.steps
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * learning_rate_share(number, recipe.steps)
        self.segmenter.train()
        random = np.random.default_rng([recipe.seed, 1, number])
        segmentation, edge = self._losses(batch.to(self.device), random)
        loss = segmentation + recipe.edge_weight * (1 - progress) ** EDGE_DECAY * edge
        if not bool(torch.isfinite(loss)):
            raise TrainingError(
                f"the loss is {loss.item()} at step {number + 1}; lower `learning_rate`"
                f" (now {recipe.learning_rate}), or look for damaged labels"
            )
        self._descend(loss)
        return float(segmentation.detach()), float(edge.detach())

    def _losses(self, batch: Batch, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        stain, gain = _draw_stain(random, batch.view)
        with mixed_precision(self.device):
            density, grid = self.segmenter.sample(_recolour(batch.view, stain, gain), self.lattice)
            warped = _recolour(warp(batch.levels, grid), stain, gain)
            logits = self.segmenter.classify(warped)
        target, labelled = warp_labels(batch.fractions, grid)
        weight = sample_area(grid) * labelled
        return segmentation_loss(logits, target, weight), edge_loss(density, batch.edges)

    def _descend(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.segmenter.parameters(), LARGEST_GRADIENT)
        self.scaler.step(self.optimizer)
        self.scaler.update()


def learning_rate_share(number: int, steps: int) -> float:
    """Return the learning rate at a step as a share of the highest: a short rise, then a cosine."""
    warm_up = min(WARM_UP_STEPS, steps / 10)
    if number < warm_up:
        return (number + 1) / (warm_up + 1)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * number / steps)) / 2


@torch.inference_mode()
def tune_dice(
    segmenter: Segmenter, cache: RegionCache, lattice: Size, device: torch.device
) -> NDArray[np.float64]:
    """Return the Dice of each class over regions, (C,); NaN for a class that nobody sees.

    The samples count by the area that they stand for, so that it estimates the Dice at full
    resolution.
    """
    segmenter.eval()
    count = segmenter.spec.class_count
    sums = torch.zeros(3, count, dtype=torch.float64)
    for index in range(len(cache)):
        batch = cache.read(index).to(device)
        with mixed_precision(device):
            _, grid = segmenter.sample(batch.view, lattice)
            logits = segmenter.classify(warp(batch.levels, grid))
        target, labelled = warp_labels(batch.fractions, grid)
        weight = sample_area(grid) * labelled
        chosen = torch.nn.functional.one_hot(logits.argmax(dim=1), count).movedim(-1, 1)
        for row, values in enumerate((chosen * target, chosen, target)):
            sums[row] += (values * weight).sum(dim=(0, 2, 3)).double().cpu()
    dice: NDArray[np.float64] = torch.where(
        sums[2] > 0, 2 * sums[0] / (sums[1] + sums[2]), torch.nan
    ).numpy()
    return dice


def _draw_stain(random: np.random.Generator, view: Tensor) -> tuple[Tensor, Tensor]:
    """Return exponents (B, 3, 1, 1) and gains (B, 1, 1, 1) near one."""
    regions = len(view)
    stain = np.exp(random.normal(0, STAIN_JITTER, (regions, 3, 1, 1)))
    gain = np.exp(random.normal(0, BRIGHTNESS_JITTER, (regions, 1, 1, 1)))
    like = {"dtype": torch.float32, "device": view.device}
    return torch.tensor(stain, **like), torch.tensor(gain, **like)  # type: ignore[arg-type]


def _recolour(image: Tensor, stain: Tensor, gain: Tensor) -> Tensor:
    """Return an image in 0..255 with each channel's optical density scaled, then brightened."""
    return 255 * gain * (image.float() / 255).clamp_min(1 / 255) ** stain
