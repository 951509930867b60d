"""Where the network runs."""

from __future__ import annotations

import torch

from lds_path.errors import UsageError


def choose_device(device: str) -> torch.device:
    """Return the device of this name; `auto` is a GPU where there is one.

    Raises
    ------
    UsageError
        If the name is unknown, or there is no GPU.
    """
    if device not in ("auto", "cpu", "cuda"):
        raise UsageError(f"the device '{device}' is unknown; use auto, cpu or cuda")
    available = torch.cuda.is_available()
    if device == "cuda" and not available:
        raise UsageError("there is no CUDA device; set `device` to auto or cpu")
    return torch.device("cuda" if available and device != "cpu" else "cpu")


def device_name(device: torch.device) -> str:
    """Return what the manifest calls a device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def mixed_precision(device: torch.device) -> torch.autocast:
    """Return the context that runs convolutions in half precision on a GPU."""
    return torch.autocast(device.type, dtype=torch.float16, enabled=device.type == "cuda")
