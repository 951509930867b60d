"""Loops over pixels as machine code, kept on disk where only its owner can write."""

from __future__ import annotations

import logging
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lds_path.system.private_folder import private_folder, user_id

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = TypeVar("Function", bound=Callable[..., object])

log = logging.getLogger(__name__)


def compiled(function: Function) -> Function:
    """Return a function compiled by numba at its first call, kept on disk, free of Python's lock.

    It is kept in `NUMBA_CACHE_DIR`, beside the package or in the user's cache. Where none of these can
    be written, it is in a private folder for temporary files, or compiled by every process.
    """
    import numba

    try:
        fast: Function = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder for it
        folder = _temporary_cache()
        numba.config.CACHE_DIR = str(folder or "")
        fast = numba.njit(cache=folder is not None, nogil=True)(function)
    return fast


@cache
def _temporary_cache() -> Path | None:
    try:
        return private_folder(Path(tempfile.gettempdir()) / f"lds-path-numba-{user_id()}")
    except OSError as error:
        log.warning(
            "compiled code cannot be kept (%s): every job compiles it again, in about a minute; set"
            " NUMBA_CACHE_DIR to a folder that is yours alone",
            error,
        )
        return None
