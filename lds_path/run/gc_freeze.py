"""Imported objects, excluded from garbage collection.

The packages of a stage define some 300 000 objects that live until the process ends. Python's
collector visits them again and again during the imports, and once more at exit: a quarter to a
third of the time of a process that analyses a small slide.
"""

from __future__ import annotations

import atexit
import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def frozen_imports() -> Iterator[None]:
    """Exclude what is imported in this context, and all that is alive then, from collection.

    Only for a process of its own: if such an object becomes garbage later, it is never freed.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def skip_last_collection() -> None:
    """Let this process exit without a last collection: the system takes its memory back.

    Every file of a stage is closed by then. Of a Snakemake that has run jobs the collection takes a
    second.
    """
    atexit.register(gc.freeze)
