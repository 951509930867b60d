"""What a network makes of labelled regions on one lattice, beside what it should."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from lds_path.network.device import mixed_precision
from lds_path.network.grid import sample_area
from lds_path.network.texture import read_texture
from lds_path.network.warp import warp, warp_labels

if TYPE_CHECKING:
    from torch import Tensor

    from lds_path.geometry import Size
    from lds_path.learning.data.batches import Batch
    from lds_path.network.segmenter import Segmenter


@dataclass(frozen=True)
class LatticeOutput:
    """The output of the network for a batch on one lattice, and the output wanted."""

    batch: Batch
    grid: Tensor
    """Sample positions, (B, h, w, 2), in the frame of the view."""
    area: Tensor
    """What each sample stands for, (B, 1, h, w), 1 in the uniform grid."""
    logits: Tensor
    """(B, C, h, w)."""
    target: Tensor
    """True shares of the classes, (B, C, h, w)."""
    labelled: Tensor
    """Labelled share of each sample, (B, 1, h, w)."""
    unlabelled: Tensor | None = None
    """Share of each sample that is tissue without a label, (B, 1, h, w), where the batch says so."""


def segment_batch(
    segmenter: Segmenter, batch: Batch, lattice: Size, density: Tensor | None = None
) -> LatticeOutput:
    """Return the output of a network for regions without augmentation, on one lattice.

    Parameters
    ----------
    segmenter
        The network.
    batch
        Regions that are not moved.
    lattice
        Number of samples across and down.
    density
        To sample by instead of the network's.
    """
    batch = batch.for_lattices(lattice)
    with mixed_precision(batch.view.device):
        sampling = segmenter.sample(batch.view, lattice, density)
        texture = read_texture(batch.texture, sampling.grid)
        context = torch.cat((sampling.context, texture), dim=1)
        logits = segmenter.classify(warp(batch.levels, sampling.grid), context)
    target, labelled = warp_labels(batch.fractions, sampling.grid)
    bare = warp(batch.unlabelled, sampling.grid) / 255 if batch.unlabelled else None
    area = sample_area(sampling.grid)
    return LatticeOutput(batch, sampling.grid, area, logits, target, labelled, bare)
