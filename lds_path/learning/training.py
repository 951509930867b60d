"""Joint training of density network and segmentation network."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from lds_path.errors import TrainingError
from lds_path.learning.recipe import PRESETS, Recipe
from lds_path.network.benefit import benefit_loss
from lds_path.network.density import to_density
from lds_path.network.device import mixed_precision
from lds_path.network.grid import sample_area
from lds_path.network.losses import edge_loss, point_loss, segmentation_loss, target_density
from lds_path.network.motion import area_factor, move, move_grid
from lds_path.network.spec import lattices_on
from lds_path.network.warp import warp, warp_labels

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from lds_path.dataset import Batch, RegionCache
    from lds_path.geometry import Size
    from lds_path.network.segmenter import Segmenter

__all__ = ["PRESETS", "Recipe", "Trainer", "learning_rate_share", "tune_dice"]

WARM_UP_STEPS = 50


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
            {"params": self._scout_parameters(), "lr": recipe.density_learning_rate},
        ]
        make = torch.optim.Adam if recipe.optimizer == "Adam" else torch.optim.AdamW
        self.optimizer = make(groups, weight_decay=recipe.weight_decay)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.device.type == "cuda")
        # Convolutions are faster so, forwards and backwards, on CPUs as on GPUs.
        self.segmenter.to(memory_format=torch.channels_last)
        self._rates = [float(group["lr"]) for group in self.optimizer.param_groups]

    def _scout_parameters(self) -> list[torch.nn.Parameter]:
        parameters = list(self.segmenter.density.parameters())
        if self.segmenter.spec.ladder:
            parameters += self.segmenter.benefit.parameters()
        return parameters

    def step(self, number: int, batch: Batch) -> tuple[float, float, float]:
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
            Segmentation loss, with that of the points.
        float
            Edge loss, not weighted.
        float
            Loss of the errors foretold, not weighted; 0 without a ladder.

        Raises
        ------
        TrainingError
            If a loss is not a finite number.
        """
        recipe = self.recipe
        progress = number / recipe.steps
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * learning_rate_share(number, recipe.steps, recipe.schedule)
        self.segmenter.train()
        random = np.random.default_rng([recipe.seed, 1, number])
        batch = batch.to(self.device)
        if progress < recipe.view_blur:
            batch = replace(batch, view=_blur_view(batch.view, random))
        lattice = self._draw_lattice(random, batch)
        segmentation, edge, benefit = self._losses(batch.around(lattice), lattice, random)
        loss = segmentation + recipe.edge_weight * (1 - progress) ** recipe.edge_decay * edge
        loss = loss + recipe.benefit_weight * benefit
        if not bool(torch.isfinite(loss)):
            raise TrainingError(
                f"the loss is {loss.item()} at step {number + 1}; lower `learning_rate`"
                f" (now {recipe.learning_rate}), or look for damaged labels"
            )
        self._descend(loss)
        return float(segmentation.detach()), float(edge.detach()), float(benefit.detach())

    def _draw_lattice(self, random: np.random.Generator, batch: Batch) -> Size:
        """Return the lattice of a step: one of the ladder, with a chance as its side, or the only.

        Fine lattices show more, and take longer to learn.
        """
        ladder = self.segmenter.spec.ladder
        if not ladder:
            return self.lattice
        rung = random.choice(len(ladder), p=np.array(ladder) / sum(ladder))
        return lattices_on(ladder, batch.size)[rung]

    def _losses(
        self, batch: Batch, lattice: Size, random: np.random.Generator
    ) -> tuple[Tensor, Tensor, Tensor]:
        recipe = self.recipe
        stain, gain = self._draw_stain(random, batch.view)
        wanted = wanted_density(batch, recipe)
        with mixed_precision(self.device, recipe.precision):
            view = _recolour(batch.view, stain, gain)
            density = imposed_density(wanted, recipe, random)
            found = self.segmenter.sample(view, lattice, density)
            place, area = move_grid(found.grid, batch.motion), sample_area(found.grid)
            covered = area * area_factor(batch.motion)
            warped = _recolour(warp(batch.levels, place, covered), stain, gain)
            logits = self.segmenter.classify(warped, found.context)
            benefit = self._benefit_loss(found.features, batch)
        target, labelled = warp_labels(batch.fractions, place, covered)
        loss = self._segmentation_loss(logits, target, area**recipe.area_power * labelled)
        if recipe.point_weight > 0:
            points = self._draw_points(random, len(logits), lattice)
            weights = self._class_weights()
            at_points = point_loss(
                logits,
                found.grid,
                batch.fractions[0],
                points,
                motion=batch.motion,
                class_weights=weights,
            )
            loss = loss + recipe.point_weight * at_points
        edge = edge_loss(found.density, wanted, kind=recipe.edge_loss)
        return loss, edge, benefit

    def _benefit_loss(self, features: Tensor, batch: Batch) -> Tensor:
        if not self.segmenter.spec.ladder:
            return features.new_zeros(())
        return benefit_loss(self.segmenter.benefit(features), batch.errors, batch.labelled)

    def _segmentation_loss(self, logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
        recipe = self.recipe
        return segmentation_loss(
            logits,
            target,
            weight,
            dice=recipe.dice_weight,
            cross_entropy=recipe.cross_entropy_weight,
            class_weights=self._class_weights(),
        )

    def _class_weights(self) -> Tensor | None:
        weights = self.recipe.class_weights
        return torch.tensor(weights, device=self.device) if weights else None

    def _draw_points(self, random: np.random.Generator, regions: int, lattice: Size) -> Tensor:
        """Return places between the outermost samples of the lattice, (B, n, 2)."""
        most = [1 - 1 / lattice.width, 1 - 1 / lattice.height]
        points = random.uniform(-1, 1, (regions, self.recipe.points, 2)) * most
        return torch.tensor(points, dtype=torch.float32, device=self.device)

    def _draw_stain(self, random: np.random.Generator, view: Tensor) -> tuple[Tensor, Tensor]:
        """Return exponents (B, 3, 1, 1) and gains (B, 1, 1, 1) near one."""
        recipe, regions = self.recipe, len(view)
        stain = np.exp(random.normal(0, recipe.stain_jitter, (regions, 3, 1, 1)))
        gain = np.exp(random.normal(0, recipe.brightness_jitter, (regions, 1, 1, 1)))
        like = {"dtype": torch.float32, "device": view.device}
        return torch.tensor(stain, **like), torch.tensor(gain, **like)  # type: ignore[arg-type]

    def _descend(self, loss: Tensor) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.unscale_(self.optimizer)
        if self.recipe.largest_gradient is not None:
            torch.nn.utils.clip_grad_norm_(
                self.segmenter.parameters(), self.recipe.largest_gradient
            )
        self.scaler.step(self.optimizer)
        self.scaler.update()


def learning_rate_share(number: int, steps: int, schedule: str = "cosine") -> float:
    """Return the learning rate at a step as a share of the highest; see `Recipe.schedule`."""
    if schedule == "steps":
        return 0.1 ** sum(number >= share * steps for share in (0.4, 0.8))
    warm_up = min(WARM_UP_STEPS, steps / 10)
    if number < warm_up:
        return (number + 1) / (warm_up + 1)
    return 0.01 + 0.99 * (1 + math.cos(math.pi * number / steps)) / 2


@torch.inference_mode()
def tune_dice(
    segmenter: Segmenter,
    cache: RegionCache,
    lattice: Size,
    device: torch.device,
    *,
    recipe: Recipe | None = None,
) -> NDArray[np.float64]:
    """Return the Dice of each class over regions, (C,); NaN for a class that nobody sees.

    The samples count by the area that they stand for, so that it estimates the Dice at full
    resolution. A recipe that does not sample by the network does not do so here either.
    """
    segmenter.eval()
    count = segmenter.spec.class_count
    sums = torch.zeros(3, count, dtype=torch.float64)
    for index in range(len(cache)):
        batch = cache.read(index).around(lattice).to(device)
        density = None
        if recipe is not None:
            wanted = wanted_density(batch, recipe)
            density = imposed_density(wanted, recipe, np.random.default_rng(index))
        with mixed_precision(device):
            found = segmenter.sample(batch.view, lattice, density)
            grid = found.grid
            logits = segmenter.classify(warp(batch.levels, grid), found.context)
        target, labelled = warp_labels(batch.fractions, grid)
        weight = sample_area(grid) * labelled
        chosen = torch.nn.functional.one_hot(logits.argmax(dim=1), count).movedim(-1, 1)
        for row, values in enumerate((chosen * target, chosen, target)):
            sums[row] += (values * weight).sum(dim=(0, 2, 3)).double().cpu()
    dice: NDArray[np.float64] = torch.where(
        sums[2] > 0, 2 * sums[0] / (sums[1] + sums[2]), torch.nan
    ).numpy()
    return dice


def imposed_density(wanted: Tensor, recipe: Recipe, random: np.random.Generator) -> Tensor | None:
    """Return the density to sample by instead of the network's; None to sample by that.

    Parameters
    ----------
    wanted
        Density that the labels ask for, (B, 1, hd, wd).
    recipe
        See `Recipe.sample_by`.
    random
        Draws the hills.
    """
    match recipe.sample_by:
        case "labels":
            return wanted
        case "random":
            regions, _, height, width = wanted.shape
            hills = torch.tensor(random.normal(0, 1.5, (regions, 1, 6, 6)), dtype=torch.float32)
            hills = F.interpolate(hills, (height, width), mode="bicubic", align_corners=False)
            return to_density(hills.to(wanted.device), floor=recipe.edge_floor)
        case _:
            return None


def wanted_density(batch: Batch, recipe: Recipe) -> Tensor:
    """Return the density that the labels of a batch ask for, (B, 1, hd, wd)."""
    height, width = batch.edges.shape[2:]
    shares = None
    if recipe.rarity:
        shares = F.adaptive_avg_pool2d(batch.fractions[-1].float(), (height, width))
        shares = move(shares, batch.motion)
    return target_density(
        batch.edges,
        shares,
        floor=recipe.edge_floor,
        blur=recipe.edge_blur,
        rarity=recipe.rarity,
    )


def _blur_view(view: Tensor, random: np.random.Generator) -> Tensor:
    """Return the view as if it had been made from s x s pixels, s at least a third of its side."""
    height, width = view.shape[2:]
    side = max(1, round(min(height, width) * random.uniform(1 / 3, 1)))
    small = F.adaptive_avg_pool2d(view.float(), side)
    return F.interpolate(small, (height, width), mode="bilinear", align_corners=False)


def _recolour(image: Tensor, stain: Tensor, gain: Tensor) -> Tensor:
    """Return an image in 0..255 with each channel's optical density scaled, then brightened."""
    return 255 * gain * (image.float() / 255).clamp_min(1 / 255) ** stain
