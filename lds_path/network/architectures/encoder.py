"""Which part of a segmentation network is its encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Iterator


def encoder_of(network: nn.Module) -> list[nn.Module]:
    """Return the modules between the samples and the features of lowest resolution.

    Parameters
    ----------
    network
        As `build_network` returns it.
    """
    inner = getattr(network, "network", network)  # behind a stem
    parts = dict(inner.named_children())
    if "encoder" in parts:  # EfficientNetLite, FlexibleUNet
        return [parts["encoder"]]
    if "down_layers" in parts:  # SegResNet
        return [parts["convInit"], *parts["down_layers"].children()]
    return list(_way_down(parts["model"]))


def _way_down(level: nn.Module) -> Iterator[nn.Module]:
    """Yield the first half of each level of MONAI's UNet, and its lowest level."""
    parts = list(level.children())
    deeper = dict(parts[1].named_children()) if isinstance(level, nn.Sequential) else {}
    if "submodule" in deeper:
        yield parts[0]
        yield from _way_down(deeper["submodule"])
    else:
        yield level
