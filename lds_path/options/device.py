"""Where the network runs, for segment and train."""

from __future__ import annotations

from lds_path.option import option

DEVICES = ("auto", "cpu", "cuda")


def device_option() -> str:
    """Return the field of the option."""
    return option(
        "auto",
        "where the network runs; auto takes a CUDA GPU if there is one; of several, one that is free",
        choices=DEVICES,
        scope="command",
    )
