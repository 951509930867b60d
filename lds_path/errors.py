"""Errors that a user can cause and can fix.

Callers catch `LdsPathError`; each child also inherits the builtin that it specialises.
A message is one line: which file, what was found, what was expected, what to do.

`SlideProblem` and its children concern the data of one slide. A stage turns them into a
quarantined slide (see `provenance.stage_run.run_stage`); every other error fails the job.
"""

from __future__ import annotations

import errno
import os
import struct
import sys
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from types import TracebackType

NOT_WRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, EOFError, LookupError, OSError, RuntimeError,
    SyntaxError, TypeError, ValueError, struct.error, zlib.error,
)  # fmt: skip
"""What libraries raise for a file in which any byte may have changed."""
LACK_OF_MEMORY = (
    "can't start new thread", "cannot allocate memory", "not enough memory", "out of memory",
    "error -4 while",  # zlib
)  # fmt: skip


class LdsPathError(Exception):
    """Something the user can fix; the command line prints it as one line."""


class UsageError(LdsPathError, ValueError):
    """A parameter, a sheet or a configuration asks for something impossible."""


class ModelError(LdsPathError, ValueError):
    """A model folder is missing, incomplete or does not fit the run."""


class StageInputError(LdsPathError, FileNotFoundError):
    """A stage was given a folder that the stage before it did not finish."""


class ChangedInputError(LdsPathError, RuntimeError):
    """A file was written or replaced while a stage read it."""


class TrainingError(LdsPathError, RuntimeError):
    """Training cannot start or cannot continue."""


class RemoteError(LdsPathError):
    """A server cannot be reached, or refuses; the job fails, and is done when it is run again.

    It inherits no builtin: readers take those for damage, and show damaged tiles as white.
    """


class SlideProblem(LdsPathError):  # noqa: N818 - the word of the manifest
    """The data of one slide prevent its analysis; the slide is quarantined."""


class UnreadableSlideError(SlideProblem, OSError):
    """The file is missing, empty, damaged or of an unknown format."""


class MissingMppError(SlideProblem, ValueError):
    """Neither sheet nor slide state the size of a pixel."""


class ImplausibleMppError(SlideProblem, ValueError):
    """The stated size of a pixel is not one that a microscope produces."""


class UnsuitableSlideError(SlideProblem, ValueError):
    """The slide can be read but not analysed: too coarse, fluorescence, no tissue."""


class LabelsError(SlideProblem, ValueError):
    """Reference labels or a region of interest cannot be used with their slide."""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the known word that a misspelt one is nearest to; empty if none is near."""
    import difflib

    by_plain = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_plain, n=1)
    return by_plain[near[0]] if near else ""


@contextmanager
def named_damage(path: Path, stage: str, *others: type[Exception]) -> Iterator[None]:
    """Turn what libraries raise for a damaged file of a stage into one line with the remedy.

    Parameters
    ----------
    path
        The file.
    stage
        The stage that wrote it.
    others
        Errors that a library raises and that inherit nothing but `Exception`.
    """
    kinds: tuple[type[Exception], ...] = (*DAMAGE, *others)
    try:
        yield
    except LdsPathError:
        raise
    except kinds as error:
        if is_lack_of_memory(error):
            raise
        finding = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        what = "is missing" if isinstance(error, FileNotFoundError) else f"is damaged ({finding})"
        raise StageInputError(f"{path} {what}; run {stage} again for this slide") from None


@contextmanager
def exit_with_message() -> Iterator[None]:
    """End the process with one line for an error that its user can fix."""
    try:
        yield
    except LdsPathError as error:
        sys.exit(f"Error: {error}")


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


def is_lack_of_memory(error: BaseException) -> bool:
    """Return whether an error means that memory ran out; some libraries have no class for it."""
    return isinstance(error, MemoryError) or any(
        words in str(error).lower() for words in LACK_OF_MEMORY
    )


def _end_without_memory(error: BaseException) -> NoReturn:
    """Print one line and exit at once: what libraries do at exit may need memory, too."""
    finding = " ".join(str(error).split())[:200] or "nothing is left"
    sys.stderr.write(
        f"Error: not enough memory ({finding}); give the job more, such as by mem_mb of its rule,"
        " or run fewer jobs at a time\n"
    )
    sys.stderr.flush()
    os._exit(1)
