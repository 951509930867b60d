"""Where the network runs."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from lds_path.errors import UsageError
from lds_path.run.gpu_locks import lock_device, name_devices

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager


Device = torch.device


def choose_device(device: str) -> torch.device:
    """Return the device of this name; `auto` is a CUDA GPU where there is one, else the CPU.

    It is never the GPU of a Mac (`mps`), with which no model has been tested.

    Raises
    ------
    UsageError
        If the name is unknown, or there is no such device.
    """
    available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if device == "auto":
        return torch.device("cuda" if available["cuda"] else "cpu")
    if device not in available:
        raise UsageError(f"the device '{device}' is unknown; use auto, {', '.join(available)}")
    if not available[device]:
        raise UsageError(f"there is no {device.upper()} device; set `device` to auto or cpu")
    return torch.device(device)


@contextmanager
def take_device(device: str) -> Iterator[torch.device]:
    """Yield the device of this name; of several GPUs one that no other job holds, and hold it.

    It waits while all GPUs that are visible to this process (`CUDA_VISIBLE_DEVICES`) are held.

    Raises
    ------
    UsageError
        If the name is unknown, there is no GPU, or the locks cannot be written.
    """
    chosen = choose_device(device)
    if chosen.type != "cuda":
        yield chosen
        return
    seen = range(torch.cuda.device_count())
    uuids = [str(torch.cuda.get_device_properties(index).uuid) for index in seen]
    names = name_devices(uuids, os.environ.get("CUDA_VISIBLE_DEVICES"))
    with lock_device(names) as index, torch.cuda.device(index):
        yield torch.device("cuda", index)


def device_name(device: torch.device) -> str:
    """Return what the manifest calls a device: a processor with the instructions that torch uses.

    Sums depend on them: a processor with AVX-512 gives other bytes than one with AVX2.
    """
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    if device.type != "cpu":
        return device.type
    return f"cpu ({torch.backends.cpu.get_cpu_capability()})"


def describe_gpus() -> list[str]:
    """Return name and memory of each GPU that this process can use."""
    properties = map(torch.cuda.get_device_properties, range(torch.cuda.device_count()))
    found = [f"{each.name} with {each.total_memory / 2**30:.0f} GiB" for each in properties]
    return [*found, *["that of a Mac, by `device: mps`"] * torch.backends.mps.is_available()]


def choose_precision(device: torch.device, precision: str = "auto") -> str:
    """Return what a trained network classifies samples in: `float32`, `bfloat16` or `float16`.

    `auto` is float16 on a CUDA GPU, bfloat16 on a processor that multiplies in it, which takes half the
    time, and float32 elsewhere.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        return "float16"
    return "bfloat16" if device.type == "cpu" and multiplies_bfloat16() else "float32"


def multiplies_bfloat16() -> bool:
    """Return whether the processor has instructions for bfloat16; without them it would be slower."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def mixed_precision(device: torch.device, precision: str = "auto") -> torch.autocast:
    """Return the context that runs convolutions in `auto`, `float32`, `bfloat16` or `float16`.

    `auto` is float16 on a CUDA GPU and float32 elsewhere.
    """
    if precision == "auto":
        precision = "float16" if device.type == "cuda" else "float32"
    dtype = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(device.type, dtype=dtype, enabled=precision != "float32")


def single_threaded() -> AbstractContextManager[None]:
    """Let each operation on the CPU use one thread: sums then do not depend on the thread count."""
    return use_threads(1)


@contextmanager
def use_threads(threads: int) -> Iterator[None]:
    """Let each operation on the CPU use this number of threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def seeded(seed: int, device: Device) -> Iterator[None]:
    """Draw random numbers from a seed, and leave the state of the caller's as it was."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
