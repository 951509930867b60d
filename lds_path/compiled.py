"""Loops over pixels as machine code."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numba

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Return a function compiled by numba at its first call, kept on disk, free of Python's lock."""
    fast: Function = numba.njit(cache=True, nogil=True)(function)
    return fast
