"""From a spec to a network with fresh weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lds_path.errors import UsageError
from lds_path.network.architectures.efficientnet_lite import EfficientNetLite
from lds_path.network.architectures.monai_networks import FlexibleUNet, SegResNet, UNet
from lds_path.network.architectures.space_to_depth import SpaceToDepth

if TYPE_CHECKING:
    from torch import nn

    from lds_path.network.spec import NetworkSpec

_LEVELS = {"FlexibleUNet": 5, "EfficientNetLite": 4}
"""Architecture -> number of channels that it takes; the others take any number from two."""


def build_network(spec: NetworkSpec, *, inputs: int = 3) -> nn.Module:
    """Return the segmentation network of a spec, with fresh weights and a number of input channels.

    Raises
    ------
    UsageError
        If the channels are not what the architecture takes.
    """
    channels = spec.level_channels
    expected = _LEVELS.get(spec.architecture, max(len(channels), 2))
    if len(channels) != expected:
        raise UsageError(
            f"{spec.architecture} takes {expected} channels, found {len(channels)}; change them"
        )
    network: nn.Module
    match spec.architecture:
        case "UNet":
            network = _unet(spec, inputs, spec.class_count)
        case "SpaceToDepthUNet":
            network = SpaceToDepth(_unet(spec, 4 * inputs, 4 * spec.class_count))
        case "EfficientNetLite":
            network = EfficientNetLite(
                inputs=inputs, outputs=spec.class_count, variant=spec.encoder, channels=channels
            )
        case "SegResNet":
            blocks = {"blocks_down": (1,) * len(channels), "blocks_up": (1,) * (len(channels) - 1)}
            network = SegResNet(
                spatial_dims=2,
                in_channels=inputs,
                out_channels=spec.class_count,
                init_filters=channels[0],
                norm="BATCH",
                **blocks,
            )
        case _:
            network = FlexibleUNet(
                in_channels=inputs,
                out_channels=spec.class_count,
                backbone=spec.backbone,
                decoder_channels=channels,
                pretrained=False,
            )
    return network


def _unet(spec: NetworkSpec, inputs: int, outputs: int) -> nn.Module:
    channels = spec.level_channels
    units: dict[str, Any] = {"num_res_units": spec.residual_units, "norm": "BATCH", "act": "RELU"}
    network: nn.Module = UNet(
        spatial_dims=2,
        in_channels=inputs,
        out_channels=outputs,
        channels=channels,
        strides=(2,) * (len(channels) - 1),
        **units,
    )
    return network
