"""A model on disk: a folder with `weights.safetensors` and `model.json`, and never a pickle.

The weights are here, the description in `models.card`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lds_path.errors import ModelError
from lds_path.models.card import CARD_NAME, WEIGHTS_NAME, name_pickles, read_card, write_card
from lds_path.network.device import use_threads
from lds_path.network.scout import Scout

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from lds_path.models.card import ModelCard
    from lds_path.network.segmenter import Segmenter

Network = TypeVar("Network", bound=Scout)

MAX_WEIGHTS = 2**28
"""Numbers in a network; the largest of MONAI's that are built here have a quarter of it."""

_KINDS = {torch.float32: ("F32", "F16", "BF16"), torch.int64: ("I64",)}
"""Type in the network -> types in a file that become it without taking more room."""


def save_model(folder: Path, segmenter: Segmenter, card: ModelCard) -> None:
    """Write a model folder.

    Parameters
    ----------
    folder
        An existing folder; what else it holds stays.
    segmenter
        The network whose weights are written.
    card
        Its description.
    """
    weights = {name: tensor.contiguous() for name, tensor in segmenter.state_dict().items()}
    # Not save_file: what it writes can be read only by its owner.
    (folder / WEIGHTS_NAME).write_bytes(save(weights))
    write_card(folder, card)


def load_model(folder: Path) -> tuple[Segmenter, ModelCard]:
    """Return a model, ready to segment, on the CPU.

    Raises
    ------
    ModelError
        If a file is missing or damaged, or the weights do not fit the description.
    """
    # MONAI takes seconds to import: not where only the card or the scout is needed.
    from lds_path.network.segmenter import Segmenter

    card = read_card(folder)
    return _load(folder, Segmenter, card), card


def load_scout(folder: Path) -> tuple[Scout, ModelCard]:
    """Return the part of a model that sees the coarse view, on the CPU.

    Raises
    ------
    ModelError
        If a file is missing or damaged, or the weights do not fit the description.
    """
    card = read_card(folder)
    return _load(folder, Scout, card, without=("network.",)), card


@use_threads(1)  # of small tensors: where other programs run, too, threads that wait cost a second
def _load(
    folder: Path, kind: type[Network], card: ModelCard, *, without: tuple[str, ...] = ()
) -> Network:
    """Return a network of a kind with the weights of a model, without those with these prefixes."""
    planned = _plan(folder / CARD_NAME, kind, card)
    path = folder / WEIGHTS_NAME
    if not path.is_file():
        raise ModelError(f"{path} is missing{name_pickles(folder)}")
    try:
        with safe_open(path, framework="pt") as file:
            names = [name for name in file.keys() if not name.startswith(without)]  # noqa: SIM118
            slices = {name: file.get_slice(name) for name in names}
            stored = {
                name: (weight.get_shape(), weight.get_dtype()) for name, weight in slices.items()
            }
            _check_weights(path, stored, planned)
            weights = {name: file.get_tensor(name) for name in names}
            _check_finite(path, weights)
    except (SafetensorError, OSError) as error:
        raise ModelError(
            f"{path} is not a safetensors file ({error}); copy the model again"
        ) from None
    network = kind(card.network)
    network.load_state_dict(weights)
    return network.eval()


def _plan(path: Path, kind: type[Network], card: ModelCard) -> dict[str, Tensor]:
    """Return the weights that a description asks for, as shapes that take no memory."""
    try:
        with torch.device("meta"):
            planned: dict[str, Tensor] = kind(card.network).state_dict()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ModelError(f"{path} does not describe a network: {error}") from None
    count = sum(tensor.numel() for tensor in planned.values())
    if count > MAX_WEIGHTS:
        raise ModelError(
            f"{path} describes a network of {count // 10**6} million weights; expected at most"
            f" {MAX_WEIGHTS // 10**6} million; use a smaller network"
        )
    return planned


def _check_weights(
    path: Path, stored: Mapping[str, tuple[Sequence[int], str]], planned: Mapping[str, Tensor]
) -> None:
    """Check names, shapes and types of weights before they are read."""
    for name in sorted(planned.keys() | stored.keys()):
        kinds = _KINDS.get(planned[name].dtype, ()) if name in planned else ()
        expected = [_describe(planned[name].shape, kind) for kind in kinds] or ["nothing"]
        description = _describe(*stored[name]) if name in stored else "nothing"
        if description not in expected:
            raise ModelError(
                f"{path} does not fit {CARD_NAME}: '{name}' is {description},"
                f" expected {expected[0]}; copy both files from the same training"
            )


def _check_finite(path: Path, weights: Mapping[str, Tensor]) -> None:
    for name, weight in weights.items():
        if not bool(torch.isfinite(weight).all()):
            raise ModelError(
                f"{path}: '{name}' has values that are not finite numbers; copy the model again, or"
                " train it again"
            )


def _describe(shape: Sequence[int], kind: str) -> str:
    return f"{tuple(shape)} of {kind}"
