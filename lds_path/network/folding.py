"""Batch normalisation folded into the convolution before it, for inference only; MONAI's rectifiers in place."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lds_path.network.architectures.monai_networks import Convolution


def fold_batch_norm(network: nn.Module) -> None:
    """Change the weights of a network in evaluation so that it needs no batch normalisation.

    Convolutions with a normalisation right after them are changed: MONAI's, and those of modules that
    name them in `norm_after`; others are left. The output of the network changes only by rounding.
    MONAI's rectifiers then overwrite what the convolution returned, which nothing else reads.
    """
    for block in network.modules():
        for convolution, norm in getattr(block, "norm_after", {}).items():
            if isinstance(getattr(block, norm), nn.BatchNorm2d):  # not folded before
                folded = fuse_conv_bn_eval(getattr(block, convolution), getattr(block, norm))
                setattr(block, convolution, folded)
                setattr(block, norm, nn.Identity())
        if not isinstance(block, Convolution) or not hasattr(block, "adn"):
            continue
        first = next(iter(block.adn.named_children()), None)
        if first is None or not isinstance(first[1], nn.BatchNorm2d):
            continue
        transposed = isinstance(block.conv, nn.ConvTranspose2d)
        block.conv = fuse_conv_bn_eval(block.conv, first[1], transpose=transposed)
        setattr(block.adn, first[0], nn.Identity())
        for layer in block.adn:
            if isinstance(layer, nn.ReLU):
                layer.inplace = True
