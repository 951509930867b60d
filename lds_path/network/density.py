"""The density network: a coarse view of a region -> how densely to sample each part of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import nn

if TYPE_CHECKING:
    from torch import Tensor


class DensityNetwork(nn.Module):
    """A small encoder and decoder that sees the whole region at once.

    Every layer of the encoder halves the view; the coarsest one also passes on its average, so
    that each cell of the density depends on the whole region. A fresh network gives constant density.

    Parameters
    ----------
    channels
        Channels of the encoder's layers.
    floor
        Lowest density where the mean is 1, in (0, 1]; it bounds how sparse samples can get.
    """

    def __init__(self, *, channels: tuple[int, ...], floor: float) -> None:
        super().__init__()
        self.floor = floor
        inputs = (3, *channels[:-1])
        self.encoder = nn.ModuleList(
            nn.Sequential(_block(before, after, stride=2), _block(after, after))
            for before, after in zip(inputs, channels, strict=True)
        )
        self.context = nn.Linear(channels[-1], channels[-1])
        self.decoder = nn.ModuleList(
            _block(coarse + fine, fine)
            for coarse, fine in zip(channels[:0:-1], channels[-2::-1], strict=True)
        )
        # Without a bias: the softmax over all cells would cancel it.
        self.head = nn.Conv2d(channels[0], 1, 1, bias=False)
        nn.init.zeros_(self.head.weight)

    @property
    def feature_count(self) -> int:
        """Channels of the features."""
        return self.head.in_channels

    def forward(self, view: Tensor, margin: int = 0) -> tuple[Tensor, Tensor]:
        """Return the density map of a coarse view, and the features it was made from.

        Parameters
        ----------
        view
            Normalised coarse view, (B, 3, H, W), with even sides.
        margin
            Cells along each edge that the network sees but that are not part of the map.

        Returns
        -------
        Tensor
            Density, (B, 1, hd, wd), float32, mean 1 in each map, not below the floor;
            hd = H / 2 - 2 margin, wd likewise.
        Tensor
            Features, (B, `feature_count`, hd, wd).
        """
        features = []
        for layer in self.encoder:
            view = layer(view)
            features.append(view)
        deep = features.pop()
        deep = deep + self.context(deep.mean(dim=(2, 3)))[..., None, None]
        for layer in self.decoder:
            fine = features.pop()
            deep = layer(torch.cat((F.interpolate(deep, fine.shape[2:]), fine), dim=1))
        deep = _inside(deep, margin)
        return to_density(self.head(deep), floor=self.floor), deep


class LocalDensityNetwork(nn.Module):
    """The density network of Jin et al. 2022: each cell sees 7 x 7 pixels of the view.

    Parameters
    ----------
    floor
        Lowest density where the mean is 1, in (0, 1].
    """

    def __init__(self, *, floor: float) -> None:
        super().__init__()
        self.floor = floor
        self.layers = nn.Sequential(
            *_normalised(3, 192),
            nn.ReLU6(inplace=True),
            *_normalised(192, 192),
            nn.ReLU6(inplace=True),
            *_normalised(192, 24),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Conv2d(24, 1, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.constant_(module.bias, 1e-4)

    @property
    def feature_count(self) -> int:
        """Channels of the features."""
        return self.head.in_channels

    def forward(self, view: Tensor, margin: int = 0) -> tuple[Tensor, Tensor]:
        """Return the density map of a coarse view and its features, as `DensityNetwork` does."""
        features = self.layers(view)
        # Interpolation to half the size is the mean of 2 x 2.
        logits = _inside(F.avg_pool2d(self.head(features), 2), margin)
        return to_density(logits, floor=self.floor), _inside(F.avg_pool2d(features, 2), margin)


def to_density(logits: Tensor, *, floor: float) -> Tensor:
    """Return a density with mean 1 and a lower bound.

    Parameters
    ----------
    logits
        Any numbers, (B, 1, hd, wd).
    floor
        Lowest density; d = (1 - floor) * softmax * cells + floor.

    Returns
    -------
    Tensor
        Density, (B, 1, hd, wd), float32 or float64.
    """
    flat = logits.flatten(1)
    share = torch.softmax(flat if flat.dtype == torch.float64 else flat.float(), dim=1)
    density = (1 - floor) * share * flat.shape[1] + floor
    return density.view_as(logits)


def _inside(cells: Tensor, margin: int) -> Tensor:
    height, width = cells.shape[2:]
    return cells[..., margin : height - margin, margin : width - margin]


def _normalised(inputs: int, outputs: int) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs)


class _Block(nn.Sequential):
    norm_after: ClassVar = {"0": "1"}
    """Convolution -> the batch normalisation that follows it."""


def _block(inputs: int, outputs: int, stride: int = 1) -> _Block:
    return _Block(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )
