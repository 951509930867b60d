"""Loops over pixels as machine code, kept on disk where only its owner can write."""

from __future__ import annotations

import logging
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from lds_path.system.private_folder import private_folder, user_id

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = TypeVar("Function", bound=Callable[..., object])

log = logging.getLogger(__name__)


def compiled(function: Function) -> Function:
    """Return a function compiled by numba at its first call, kept on disk, free of Python's lock.

    It is kept in `NUMBA_CACHE_DIR`, beside the package or in the user's cache. Where none of these can
    be written, it is in a private folder for temporary files, or compiled by every process. What was
    compiled with an installation that is read-only, as in a container, is copied to the private folder.
    """
    import numba

    code = _code_of_installation(Path(function.__code__.co_filename))
    if code and not numba.config.CACHE_DIR:
        numba.config.CACHE_DIR = str(_temporary_cache() or "")
    try:
        fast = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder for it
        folder = _temporary_cache()
        numba.config.CACHE_DIR = str(folder or "")
        fast = numba.njit(cache=folder is not None, nogil=True)(function)
    if code and numba.config.CACHE_DIR:
        _copy_new(code, Path(fast.stats.cache_path))
    return cast("Function", fast)


def load_compiler() -> None:
    """Load what numba loads before its first function, if it is imported; processes that fork later have it."""
    if "numba" in sys.modules:
        from numba.core.registry import cpu_target

        cpu_target.typing_context.refresh()
        cpu_target.target_context.refresh()


def _code_of_installation(module: Path) -> list[Path]:
    """Return the compiled code beside a module if numba cannot use it there: it wants to write, too."""
    folder = module.parent / "__pycache__"
    if os.access(folder, os.W_OK):
        return []
    # The index of a function is after its code, so that it never names what is not there yet.
    return sorted(folder.glob(f"{module.stem}.*.nb[ci]"), key=lambda path: path.suffix)


def _copy_new(files: list[Path], folder: Path) -> None:
    """Copy files, each at once, that a folder does not have."""
    for file in files:
        target = folder / file.name
        if not target.exists():
            partial = folder / f".{file.name}.{os.getpid()}"
            shutil.copyfile(file, partial)
            partial.replace(target)


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
