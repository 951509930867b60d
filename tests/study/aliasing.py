"""Sampling without antialiasing, as the paper's released code does: the finest pixels alone."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING
from unittest.mock import patch

import lds_path.inference.runner
import lds_path.network.spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lds_path.geometry import Size

_READERS = (lds_path.inference.runner, lds_path.network.spec)


@contextmanager
def finest_level_alone() -> Iterator[None]:
    """Let samples of images and labels be read from the finest level, however sparse they are."""
    with ExitStack() as stack:
        for reader in _READERS:
            stack.enter_context(patch.object(reader, "levels_around", _finest))
        yield


def _finest(_size: Size, _lattice: Size) -> range:
    return range(1)
