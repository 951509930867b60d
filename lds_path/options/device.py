"""Where the network runs, for segment and train."""

from __future__ import annotations

from lds_path.option import option

DEVICES = ("auto", "cpu", "cuda", "mps")


def device_option() -> str:
    """Return the field of the option."""
    return option(
        "auto",
        "where the network runs; auto takes a CUDA GPU if there is one, of several one that is free, and else the"
        " CPU; mps is the GPU of a Mac, untested",
        choices=DEVICES,
        scope="command",
    )
