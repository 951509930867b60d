"""The whole network: density, grid, warp, MONAI network, in that order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from lds_path.network.architectures.build import build_network
from lds_path.network.scout import Scout
from lds_path.network.texture import read_texture
from lds_path.network.warp import warp
from lds_path.pixels.octaves import TEXTURE_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from lds_path.geometry import Size
    from lds_path.network.spec import NetworkSpec


@dataclass(frozen=True)
class Segmentation:
    """The output of the network for a batch of regions."""

    logits: Tensor
    """Scores of the classes on the lattice, (B, C, h, w)."""
    density: Tensor
    """Density map, (B, 1, hd, wd), mean 1."""
    grid: Tensor
    """Sample positions (x, y) in [-1, 1], (B, h, w, 2), float32."""


class Segmenter(Scout):
    """Decides from a coarse view where to sample a region, and segments the samples.

    It works in two steps, because the grid decides which pyramid levels have to be read:
    `sample`, inherited from the scout, needs only the coarse view; `classify` needs the region warped
    onto the grid.
    Images are RGB in 0..255.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        super().__init__(spec)
        shared = self.density.feature_count + 1 if spec.shared_features else 0
        textures = TEXTURE_CHANNELS if spec.texture else 0
        self.input_count = 3 + shared + textures
        self.network = build_network(spec, inputs=self.input_count)

    def classify(self, warped: Tensor, context: Tensor) -> Tensor:
        """Return the scores of the classes, (B, C, h, w).

        Parameters
        ----------
        warped
            Regions at the grid's positions, (B, 3, h, w), RGB in 0..255.
        context
            Of the same samples, as `sample` gives it, then their texture if the spec has one.
        """
        samples = self._normalise(warped)
        if self.input_count > 3:
            samples = torch.cat((samples, context.to(samples)), dim=1)
        logits: Tensor = self.network(samples)
        return logits

    def forward(
        self,
        view: Tensor,
        levels: Sequence[Tensor],
        lattice: Size,
        density: Tensor | None = None,
        texture: Sequence[Tensor] = (),
    ) -> Segmentation:
        """Return scores, density and grid of regions.

        Parameters
        ----------
        view
            The regions and their margin at the coarse view's level, (B, 3, H, W), RGB in 0..255.
        levels
            The regions' pyramid, finest level first, (B, 3, H / 2^k, W / 2^k), RGB in 0..255.
        lattice
            Number of samples across and down.
        density
            As for `sample`.
        texture
            The regions' levels of texture, if the spec has one.
        """
        sampling = self.sample(view, lattice, density)
        seen = read_texture(texture, sampling.grid)
        context = torch.cat((sampling.context, seen), dim=1)
        logits = self.classify(warp(levels, sampling.grid), context)
        return Segmentation(logits, sampling.density, sampling.grid)
