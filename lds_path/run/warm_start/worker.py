"""A process that runs one job after the other; see `warm_start`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from lds_path.errors import exit_with_message
from lds_path.run.parent_watch import end_with_run
from lds_path.run.signals import end_in_order
from lds_path.run.warm_start.client import to_bytes
from lds_path.run.warm_start.request import Request, close_streams
from lds_path.system.memory import reset_peak_memory, resident_memory_mib

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    Run = Callable[[Sequence[str]], object]

MAX_IDLE_MIB = 700
"""A worker that holds more memory after a job, or any of a GPU, ends; the next job gets a new one."""


def work(control: socket.socket, inherited: Sequence[socket.socket | Request], run: Run) -> None:
    """Run each command that is received, until one fails or there is no more.

    Parameters
    ----------
    control
        Gives the requests, and takes a zero after each.
    inherited
        What the server has open, and this process has no use for.
    run
        Runs a command line of `lds-path`.
    """
    for other in inherited:
        other.close()
    end_with_run()
    while (request := Request.receive(control)) is not None:
        request.adopt()
        end_in_order()
        reset_peak_memory()
        _run_one(request.arguments, run)
        close_streams()
        if resident_memory_mib() > MAX_IDLE_MIB or _uses_gpu():
            break
        control.sendall(to_bytes(0))


def _run_one(arguments: Sequence[str], run: Run) -> None:
    """Run a command as a process of its own does, which ends if it fails."""
    try:
        with exit_with_message():
            run(arguments)
    except SystemExit as end:
        if end.code:
            raise
    except Exception:  # noqa: BLE001 - this is where the command ends
        sys.excepthook(*sys.exc_info())
        sys.exit(1)


def _uses_gpu() -> bool:
    """Return whether this process holds memory of a GPU, which it keeps until it ends."""
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized()
