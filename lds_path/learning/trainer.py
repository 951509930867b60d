"""Joint training of density network and segmentation network."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name

from lds_path.errors import TrainingError
from lds_path.geometry import Size
from lds_path.learning.augmentation import degrade
from lds_path.learning.densities import imposed_density, wanted_density
from lds_path.learning.lattice_output import LatticeOutput
from lds_path.learning.rates import freeze, learning_rate_factor, parameter_groups
from lds_path.learning.recipe import Augmentation, Start
from lds_path.learning.streams import stream
from lds_path.network.benefit import benefit_loss, network_error_loss, network_errors
from lds_path.network.device import mixed_precision
from lds_path.network.grid import sample_area
from lds_path.network.losses import edge_loss, point_loss, segmentation_loss
from lds_path.network.motion import area_factor, move_grid
from lds_path.network.scout import read_cells
from lds_path.network.spec import lattices_on
from lds_path.network.texture import read_texture, restain
from lds_path.network.warp import warp, warp_labels

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from torch import Tensor

    from lds_path.learning.data.batches import Batch
    from lds_path.learning.recipe import Recipe
    from lds_path.network.segmenter import Segmenter


STRENGTHS = (0.0, 0.5, 1.0)
"""Of the warp, in a training with a gate."""


@dataclass(frozen=True)
class _CoarseView:
    """What all lattices of a step have in common."""

    density: Tensor
    features: Tensor
    colours: tuple[Tensor, Tensor]
    """Exponents and gains, see `Trainer._draw_stain`."""
    strength: Tensor | None
    """Of the warp of each region, (B,); None where it is the spec's."""
    context_mask: Tensor
    """1 for regions whose context the segmentation network sees, else 0, (B, 1, 1, 1)."""


@dataclass
class Trainer:
    """Trains a segmenter step by step."""

    segmenter: Segmenter
    lattice: Size
    recipe: Recipe
    device: torch.device
    augmentation: Augmentation = field(default_factory=Augmentation)
    error_weights: tuple[float, ...] = ()
    """What a wrong pixel of each class costs where the errors of the network are predicted."""
    start: Start = field(default_factory=Start)
    inherited: Collection[str] = ()
    """Names of the weights that come from another model."""
    optimizer: torch.optim.Optimizer = field(init=False)
    scaler: torch.amp.GradScaler = field(init=False)

    def __post_init__(self) -> None:
        recipe = self.recipe
        self._frozen = freeze(self.segmenter, self.start.frozen)
        groups = parameter_groups(self.segmenter, recipe, self.start, self.inherited)
        make = torch.optim.Adam if recipe.optimizer == "Adam" else torch.optim.AdamW
        self.optimizer = make(groups, weight_decay=recipe.weight_decay, fused=True)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.device.type == "cuda")
        # Makes convolutions faster, forwards and backwards, on CPUs and GPUs.
        self.segmenter.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._rates = [float(group["lr"]) for group in self.optimizer.param_groups]

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
            Loss of the predicted errors, not weighted; 0 without a ladder.

        Raises
        ------
        TrainingError
            If a loss is not a finite number.
        """
        recipe = self.recipe
        progress = number / recipe.steps
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * learning_rate_factor(number, recipe.steps, recipe.schedule)
        self.segmenter.train()
        for module in self._frozen:
            module.eval()
        batch = batch.to(self.device)
        if progress < recipe.view_blur:
            random = stream(recipe.seed, "view blur", number)
            batch = replace(batch, view=_blur_view(batch.view, random))
        try:
            segmentation, edge, benefit = self._losses(number, batch)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise TrainingError(
                "the network has a single value of a step's regions at its coarsest level, too little"
                " for a batch normalisation; set `batch_size` to 2 or more, or a finer `lattice`"
            ) from None
        loss = segmentation + recipe.edge_weight * (1 - progress) ** recipe.edge_decay * edge
        loss = loss + recipe.benefit_weight * benefit
        if not bool(torch.isfinite(loss)):
            raise TrainingError(
                f"the loss is {loss.item()} at step {number + 1}; lower `learning_rate`"
                f" (now {recipe.learning_rate}), or check the labels for damage"
            )
        self._descend(loss)
        return float(segmentation.detach()), float(edge.detach()), float(benefit.detach())

    def lattices(self, number: int, size: Size) -> list[Size]:
        """Return the lattices of a training step, for regions of a size."""
        ladder = lattices_on(self.segmenter.spec.ladder, size)
        return [ladder[rung] for rung in self._draw_rungs(number)] or [self.lattice]

    def _draw_rungs(self, number: int) -> list[int]:
        """Return the rungs of a step, drawn in proportion to their sides; none without a ladder.

        Fine lattices show more, and take longer to learn.
        """
        random = stream(self.recipe.seed, "rungs", number)
        ladder = self.segmenter.spec.ladder
        if not ladder:
            return []
        count = min(self.recipe.rungs_per_step, len(ladder))
        chances = np.array(ladder) / sum(ladder)
        drawn: list[int] = random.choice(len(ladder), count, replace=False, p=chances).tolist()
        return drawn

    def _losses(self, number: int, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        recipe, rungs = self.recipe, self._draw_rungs(number)
        stain, gain = self._draw_stain(number, batch.view)
        wanted = wanted_density(batch, recipe)
        with mixed_precision(self.device, recipe.precision):
            density, features = self.segmenter.predict_density(_recolour(batch.view, stain, gain))
            # Errors of the network are predicted from what it has learned, and do not train its
            # features: errors that are rare and hard would dominate them.
            head_features = features if recipe.error_source == "labels" else features.detach()
            predicted = self.segmenter.benefit(head_features) if rungs else None
        imposed = imposed_density(wanted, recipe, stream(recipe.seed, "density", number))
        density = density if imposed is None else imposed
        edge = edge_loss(density, wanted, kind=recipe.edge_loss)
        coarse = _CoarseView(
            density,
            features,
            (stain, gain),
            self._draw_strength(number, len(density)),
            self._draw_context_mask(number, len(density)),
        )
        degraded = stream(recipe.seed, "focus and noise", number)
        outputs = [
            self._segment(batch, coarse, lattice, degraded)
            for lattice in self.lattices(number, batch.size)
        ]
        random = stream(recipe.seed, "points", number)
        loss = torch.stack([self._segmentation_loss(output, random) for output in outputs]).mean()
        return loss, edge, self._benefit_loss(predicted, batch, rungs, outputs)

    def _segment(
        self, batch: Batch, coarse: _CoarseView, lattice: Size, random: np.random.Generator
    ) -> LatticeOutput:
        """Segment a batch on one lattice."""
        batch = batch.for_lattices(lattice)
        with mixed_precision(self.device, self.recipe.precision):
            sampling = self.segmenter.place_samples(
                coarse.density, coarse.features, lattice, coarse.strength
            )
            grid, area = move_grid(sampling.grid, batch.motion), sample_area(sampling.grid)
            covered = area * area_factor(batch.motion)
            warped = _recolour(warp(batch.levels, grid, covered), *coarse.colours)
            warped = degrade(warped, random, self.augmentation)
            warped = warped.contiguous(memory_format=torch.channels_last)
            texture = read_texture(batch.texture, grid, covered)
            if batch.texture:
                texture = restain(texture, coarse.colours[0])
            context = torch.cat((sampling.context * coarse.context_mask, texture), dim=1)
            logits = self.segmenter.classify(warped, context)
        target, labelled = warp_labels(batch.fractions, grid, covered)
        return LatticeOutput(batch, sampling.grid, area, logits, target, labelled)

    def _benefit_loss(
        self,
        predicted: Tensor | None,
        batch: Batch,
        rungs: Sequence[int],
        outputs: Sequence[LatticeOutput],
    ) -> Tensor:
        if predicted is None:
            return batch.errors.new_zeros(())
        if self.recipe.error_source == "labels":
            return benefit_loss(predicted, batch.errors, batch.labelled)
        costs = torch.tensor(self.error_weights, dtype=torch.float32, device=self.device)
        losses = [
            network_error_loss(
                read_cells(predicted[:, rung : rung + 1], output.grid),
                network_errors(output.logits, output.target, costs),
                output.area * output.labelled,
            )
            for rung, output in zip(rungs, outputs, strict=True)
        ]
        return torch.stack(losses).mean()

    def _segmentation_loss(self, output: LatticeOutput, random: np.random.Generator) -> Tensor:
        recipe, weights = self.recipe, self._class_weights()
        loss = segmentation_loss(
            output.logits,
            output.target,
            output.area**recipe.area_power * output.labelled,
            dice=recipe.dice_weight,
            cross_entropy=recipe.cross_entropy_weight,
            class_weights=weights,
        )
        if recipe.point_weight > 0:
            regions, _, height, width = output.logits.shape
            at_points = point_loss(
                output.logits,
                output.grid,
                output.batch.fractions[0],
                self._draw_points(random, regions, Size(width, height)),
                motion=output.batch.motion,
                class_weights=weights,
            )
            loss = loss + recipe.point_weight * at_points
        return loss

    def _class_weights(self) -> Tensor | None:
        weights = self.recipe.class_weights
        return torch.tensor(weights, device=self.device) if weights else None

    def _draw_points(self, random: np.random.Generator, regions: int, lattice: Size) -> Tensor:
        """Return positions between the outermost samples of the lattice, (B, n, 2)."""
        limits = [1 - 1 / lattice.width, 1 - 1 / lattice.height]
        points = random.uniform(-1, 1, (regions, self.recipe.points, 2)) * limits
        return torch.tensor(points, dtype=torch.float32, device=self.device)

    def _draw_strength(self, number: int, regions: int) -> Tensor | None:
        """Return how far the samples of each region follow the density, (B,); None: as the spec says."""
        if not self.recipe.warp_gate:
            return None
        random = stream(self.recipe.seed, "warp strength", number)
        drawn = random.choice(STRENGTHS, regions)
        return torch.tensor(drawn, dtype=torch.float32, device=self.device)

    def _draw_context_mask(self, number: int, regions: int) -> Tensor:
        """Return 1 for regions whose context the segmentation network sees in a step, (B, 1, 1, 1)."""
        random = stream(self.recipe.seed, "context", number)
        mask = random.random((regions, 1, 1, 1)) >= self.recipe.withhold_chance
        return torch.tensor(mask, dtype=torch.float32, device=self.device)

    def _draw_stain(self, number: int, view: Tensor) -> tuple[Tensor, Tensor]:
        """Return exponents and gains near one, (B, 3, 1, 1) each."""
        recipe, regions = self.recipe, len(view)
        random = stream(recipe.seed, "stain", number)
        stain = np.exp(random.normal(0, recipe.stain_jitter, (regions, 3, 1, 1)))
        gain = random.normal(0, recipe.brightness_jitter, (regions, 1, 1, 1))
        gain = np.exp(gain + random.normal(0, recipe.white_balance_jitter, (regions, 3, 1, 1)))
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


def _blur_view(view: Tensor, random: np.random.Generator) -> Tensor:
    """Return the view as if it had been made from s x s pixels, s at least a third of its side."""
    height, width = view.shape[2:]
    side = max(1, round(min(height, width) * random.uniform(1 / 3, 1)))
    small = F.adaptive_avg_pool2d(view.float(), side)
    return F.interpolate(small, (height, width), mode="bilinear", align_corners=False)


def _recolour(image: Tensor, stain: Tensor, gain: Tensor) -> Tensor:
    """Return an image in 0..255 with each channel's optical density scaled, then brightened."""
    return 255 * gain * (image.float() / 255).clamp_min(1 / 255) ** stain
