"""A network that works at half the lattice, with blocks of 2 x 2 samples as channels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

if TYPE_CHECKING:
    from torch import Tensor


class SpaceToDepth(nn.Module):
    """A network behind a stem that turns 2 x 2 samples into channels, and their scores back.

    Parameters
    ----------
    network
        Takes 4 times the channels of the samples, and gives 4 times the classes.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, samples: Tensor) -> Tensor:
        """Return scores, (B, classes, h, w), of samples (B, C, h, w) with even sides."""
        return pixel_shuffle(self.network(pixel_unshuffle(samples, 2)), 2)
