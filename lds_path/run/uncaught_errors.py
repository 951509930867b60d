"""Errors that no command handles: those of a full machine as one line, others with a traceback."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from lds_path.errors import is_lack_of_memory

if TYPE_CHECKING:
    from types import TracebackType

NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


def print_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """Print an error as `sys.excepthook`: lack of memory, of space or of permission in one line."""
    if is_lack_of_memory(error):
        _end_without_memory(error)
    if isinstance(error, OSError) and error.errno in NOT_WRITABLE:
        output = error.filename or "the output"
        sys.stderr.write(f"Error: {output} cannot be written: {error.strerror}\n")
        return
    sys.__excepthook__(kind, error, trace)


def _end_without_memory(error: BaseException) -> NoReturn:
    """Print one line and exit at once: what libraries do at exit may need memory, too."""
    finding = " ".join(str(error).split())[:200] or "nothing is left"
    sys.stderr.write(
        f"Error: not enough memory ({finding}); give the job more, such as by mem_mb of its rule,"
        " or run fewer jobs at a time\n"
    )
    sys.stderr.flush()
    os._exit(1)
