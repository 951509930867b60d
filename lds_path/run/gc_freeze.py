"""What a process imports, kept from the garbage collector.

The packages of a stage define some 300 000 objects that live to the end. Python's collector visits
them again and again while they are made, and once more when the process ends: a quarter to a third
of the time of a process that has a small slide to work on.
"""

from __future__ import annotations

import atexit
import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def unsearched() -> Iterator[None]:
    """Keep what is imported meanwhile, and all that is alive then, from the collector for good.

    Only for a process of its own: what becomes garbage later of that is not freed before the end.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def end_unsearched() -> None:
    """Let this process end without a search for garbage: the system takes its memory back.

    Whatever a stage writes is closed by then.
    """
    atexit.register(gc.freeze)
