"""Copy a model with its weights in half precision: `python half_weights.py MODEL FOLDER`."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import torch
from safetensors.torch import load_file, save

from lds_path.models.card import CARD_NAME, WEIGHTS_NAME


@click.command()
@click.argument("model", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
def main(model: Path, folder: Path) -> None:
    """Write the model in MODEL into FOLDER, its float32 weights as float16 where that holds them."""
    weights = {name: _halve(tensor) for name, tensor in load_file(model / WEIGHTS_NAME).items()}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / WEIGHTS_NAME).write_bytes(save(weights))
    shutil.copyfile(model / CARD_NAME, folder / CARD_NAME)


def _halve(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor of float32 as float16, unless a value is larger than any of these."""
    half = tensor.half() if tensor.dtype == torch.float32 else tensor
    return half if half.isfinite().all() else tensor


if __name__ == "__main__":
    main()
