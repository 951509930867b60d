"""EfficientNet-Lite as an encoder with a light decoder, for which weights of ImageNet exist.

Tan and Le 2019 (arXiv 1905.11946), without squeeze-and-excitation and with ReLU6, as released in 2020
as EfficientNet-Lite. The weights have timm's names, so that encoders trained elsewhere fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

MEAN = (127 / 255,) * 3
STD = (128 / 255,) * 3
"""Normalisation that the released weights were trained with, of colours in [0, 1]."""
STEM_CHANNELS = 32
_EPSILON = 1e-3  # of the batch normalisation of the released weights


@dataclass(frozen=True)
class Stage:
    """Blocks of one width."""

    blocks: int
    channels: int
    kernel: int
    stride: int
    expansion: int


VARIANTS = {
    "efficientnet-lite0": (1.0, (1, 2, 2, 3, 3, 4, 1)),
    "efficientnet-lite1": (1.0, (1, 3, 3, 4, 4, 5, 1)),
    "efficientnet-lite2": (1.1, (1, 3, 3, 4, 4, 5, 1)),
}
"""Encoder -> factor on the widths, and blocks of each stage."""
_WIDTHS = (16, 24, 40, 80, 112, 192, 320)
_KERNELS = (3, 3, 5, 3, 5, 5, 3)
_STRIDES = (1, 2, 2, 2, 1, 2, 1)
_ENDS = (0, 1, 2, 4, 6)
"""Stages whose output is the last one at its stride: 2, 4, 8, 16 and 32."""


def stages_of(variant: str) -> tuple[Stage, ...]:
    """Return the stages of an encoder."""
    factor, depths = VARIANTS[variant]
    rows = zip(depths, _WIDTHS, _KERNELS, _STRIDES, strict=True)
    return tuple(
        Stage(blocks, _round_to_eight(width * factor), kernel, stride, 6 if number else 1)
        for number, (blocks, width, kernel, stride) in enumerate(rows)
    )


class EfficientNetLite(nn.Module):
    """A segmentation network: the encoder, and a decoder that ends at half the resolution.

    The scores are interpolated from there, since outlines need fewer samples than what is
    recognised by its texture.

    Parameters
    ----------
    inputs
        Channels of the input; the first three are the colours.
    outputs
        Classes.
    variant
        One of `VARIANTS`.
    channels
        Of the decoder at strides 2, 4, 8 and 16.
    """

    def __init__(self, *, inputs: int, outputs: int, variant: str, channels: Sequence[int]) -> None:
        super().__init__()
        self.encoder = Encoder(inputs, stages_of(variant))
        deep = self.encoder.channels[-1]
        self.decoder = nn.ModuleList()
        for skip, width in zip(self.encoder.channels[-2::-1], channels[::-1], strict=True):
            self.decoder.append(Join(deep, skip, width))
            deep = width
        self.head = nn.Conv2d(deep, outputs, 1)

    def forward(self, samples: Tensor) -> Tensor:
        """Return the scores of the classes, (B, `outputs`, h, w), of samples (B, `inputs`, h, w)."""
        *skips, deep = self.encoder(samples)
        for join in self.decoder:
            deep = join(deep, skips.pop())
        logits: Tensor = F.interpolate(
            self.head(deep), samples.shape[2:], mode="bilinear", align_corners=False
        )
        return logits


class Encoder(nn.Module):
    """The convolutions of EfficientNet-Lite, up to a stride of 32."""

    norm_after: ClassVar = {"conv_stem": "bn1"}
    """Convolution -> the batch normalisation that follows it."""

    def __init__(self, inputs: int, stages: Sequence[Stage]) -> None:
        super().__init__()
        self.conv_stem = nn.Conv2d(inputs, STEM_CHANNELS, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM_CHANNELS, eps=_EPSILON)
        self.blocks = nn.ModuleList()
        width = STEM_CHANNELS
        for stage in stages:
            blocks = nn.Sequential()
            for number in range(stage.blocks):
                stride = 1 if number else stage.stride
                kind = SeparableBlock if stage.expansion == 1 else InvertedBlock
                blocks.append(kind(width, stage, stride))
                width = stage.channels
            self.blocks.append(blocks)
        self.channels = tuple(stages[end].channels for end in _ENDS)
        """Of the features at strides 2, 4, 8, 16 and 32."""

    def forward(self, samples: Tensor) -> list[Tensor]:
        """Return the features at strides 2, 4, 8, 16 and 32."""
        features = F.relu6(self.bn1(self.conv_stem(samples)))
        found = []
        for number, stage in enumerate(self.blocks):
            features = stage(features)
            if number in _ENDS:
                found.append(features)
        return found


class SeparableBlock(nn.Module):
    """A depthwise convolution, and a pointwise one without activation."""

    norm_after: ClassVar = {"conv_dw": "bn1", "conv_pw": "bn2"}
    """Convolution -> the batch normalisation that follows it."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        self.is_residual = stride == 1 and inputs == stage.channels
        self.conv_dw = _depthwise(inputs, stage.kernel, stride)
        self.bn1 = nn.BatchNorm2d(inputs, eps=_EPSILON)
        self.conv_pw = nn.Conv2d(inputs, stage.channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(stage.channels, eps=_EPSILON)

    def forward(self, features: Tensor) -> Tensor:
        """Return features, (B, C, h / stride, w / stride)."""
        spatial = F.relu6(self.bn1(self.conv_dw(features)))
        inner: Tensor = self.bn2(self.conv_pw(spatial))
        return features + inner if self.is_residual else inner


class InvertedBlock(nn.Module):
    """More channels, a depthwise convolution over them, and fewer channels without activation."""

    norm_after: ClassVar = {"conv_pw": "bn1", "conv_dw": "bn2", "conv_pwl": "bn3"}
    """Convolution -> the batch normalisation that follows it."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        inner = inputs * stage.expansion
        self.is_residual = stride == 1 and inputs == stage.channels
        self.conv_pw = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner, eps=_EPSILON)
        self.conv_dw = _depthwise(inner, stage.kernel, stride)
        self.bn2 = nn.BatchNorm2d(inner, eps=_EPSILON)
        self.conv_pwl = nn.Conv2d(inner, stage.channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(stage.channels, eps=_EPSILON)

    def forward(self, features: Tensor) -> Tensor:
        """Return features, (B, C, h / stride, w / stride)."""
        wide = F.relu6(self.bn1(self.conv_pw(features)))
        spatial = F.relu6(self.bn2(self.conv_dw(wide)))
        inner: Tensor = self.bn3(self.conv_pwl(spatial))
        return features + inner if self.is_residual else inner


class Join(nn.Module):
    """Coarse features enlarged, joined with finer ones."""

    norm_after: ClassVar = {"conv": "bn"}
    """Convolution -> the batch normalisation that follows it."""

    def __init__(self, coarse: int, fine: int, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(coarse + fine, channels, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Return features, (B, `channels`, h, w), at the resolution of the finer ones."""
        enlarged = F.interpolate(coarse, fine.shape[2:], mode="nearest")
        return F.relu(self.bn(self.conv(torch.cat((enlarged, fine), dim=1))))


def _depthwise(channels: int, kernel: int, stride: int) -> nn.Conv2d:
    return nn.Conv2d(
        channels, channels, kernel, stride, padding=kernel // 2, groups=channels, bias=False
    )


def _round_to_eight(width: float) -> int:
    """Return the nearest multiple of 8 that is not below nine tenths of a width."""
    rounded = max(8, int(width + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * width else rounded
