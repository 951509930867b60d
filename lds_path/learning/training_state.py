"""The state of an interrupted training: everything that its next step depends on.

One safetensors file holds weights, the optimiser's tensors and the random state, and in its
header, as JSON, the numbers. It is never a pickle: opening it runs no code.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lds_path import __version__
from lds_path.errors import UsageError
from lds_path.provenance.complete_file import complete_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch import Tensor, nn

STATE_NAME = "state.safetensors"
BEST_NAME = "best"
_STATE_FILES = {STATE_NAME, f"{STATE_NAME}.partial", BEST_NAME}
_KEY = "lds-path"
_READ_ERRORS = (SafetensorError, OSError, KeyError, ValueError)


@dataclass(frozen=True)
class Learner:
    """What a step changes."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler


def identify(parts: Mapping[str, Any]) -> str:
    """Return a hash that is equal for two trainings if one may resume the other.

    Parameters
    ----------
    parts
        Everything that determines them besides the versions of this package and torch, as JSON.
    """
    versions = [__version__, torch.__version__]
    text = json.dumps({**parts, "versions": versions}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def save_state(path: Path, learner: Learner, record: Mapping[str, Any]) -> None:
    """Write the state and a record beside it; the file is then complete or unchanged.

    Parameters
    ----------
    path
        File to write.
    learner
        Network, optimiser and scaler.
    record
        Anything that JSON can hold.
    """
    optimizer = learner.optimizer.state_dict()
    tensors = {f"network/{name}": value for name, value in learner.network.state_dict().items()}
    for number, values in optimizer["state"].items():
        tensors |= {f"optimizer/{number}/{name}": value for name, value in values.items()}
    tensors["random/cpu"] = torch.get_rng_state()
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    numbers = {
        "record": dict(record),
        "groups": optimizer["param_groups"],
        "scaler": learner.scaler.state_dict(),
    }
    # Copies: safetensors refuses tensors that share memory, or that are laid out in another order.
    plain = torch.contiguous_format
    copies = {
        name: value.detach().cpu().clone(memory_format=plain) for name, value in tensors.items()
    }
    with complete_file(path) as partial:
        partial.write_bytes(save(copies, {_KEY: json.dumps(numbers)}))


def read_record(path: Path) -> dict[str, Any] | None:
    """Return the record of a state; None if there is no state that can be read."""
    numbers = _read_numbers(path)
    return None if numbers is None else dict(numbers["record"])


def restore_state(path: Path, learner: Learner) -> None:
    """Set network, optimiser, scaler and random state to those of a file that can be read."""
    numbers = _read_numbers(path)
    if numbers is None:
        raise ValueError(f"{path} holds no state")
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    learner.network.load_state_dict(_with_prefix("network/", tensors))
    states: dict[int, dict[str, Tensor]] = {}
    for name, value in _with_prefix("optimizer/", tensors).items():
        number, _, key = name.partition("/")
        states.setdefault(int(number), {})[key] = value
    groups = [
        {key: tuple(value) if key == "betas" else value for key, value in group.items()}
        for group in numbers["groups"]
    ]
    learner.optimizer.load_state_dict({"state": states, "param_groups": groups})
    _lay_out(learner.optimizer)
    learner.scaler.load_state_dict(numbers["scaler"])
    torch.set_rng_state(tensors["random/cpu"])
    if torch.cuda.is_available() and "random/cuda" in tensors:
        torch.cuda.set_rng_state(tensors["random/cuda"])


def clear_state(folder: Path) -> None:
    """Remove the folder in which an interrupted training is kept, where there is one.

    Raises
    ------
    UsageError
        If it holds anything else.
    """
    if not folder.exists():
        return
    foreign = {entry.name for entry in folder.iterdir()} - _STATE_FILES
    if foreign:
        raise UsageError(
            f"{folder} holds {min(foreign)}, which no training wrote; name a new folder as `state`"
        )
    shutil.rmtree(folder)


def _lay_out(optimizer: torch.optim.Optimizer) -> None:
    """Lay out the tensors of an optimiser in memory as their weights: a fused step relies on it."""
    for weights, values in optimizer.state.items():
        for name, value in values.items():
            if value.shape == weights.shape:
                values[name] = torch.empty_like(weights).copy_(value)


def _read_numbers(path: Path) -> dict[str, Any] | None:
    try:
        with safe_open(path, framework="pt") as file:
            return dict(json.loads((file.metadata() or {})[_KEY]))
    except _READ_ERRORS:
        return None


def _with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): value
        for name, value in tensors.items()
        if name.startswith(prefix)
    }
