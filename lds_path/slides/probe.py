"""One look at a file, from which every reader tells whether it is of its kind."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import tifffile

from lds_path.errors import UnreadableSlideError
from lds_path.slides.tiff_check import DECODE_ERRORS, check_tiff

if TYPE_CHECKING:
    from pathlib import Path

TIFF_MAGIC = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}


@dataclass
class Probe:
    """What one look at a file shows; closes the TIFF in it, unless a reader keeps that."""

    path: Path
    magic: bytes
    """The first four bytes; none of a folder."""
    tiff: tifffile.TiffFile | None = None
    """The file as tifffile opens it, checked; None if it is no TIFF or damaged."""
    tiff_error: Exception | None = None
    """Why tifffile does not open what begins like a TIFF."""
    is_ome: bool = False
    """Whether it is an OME-TIFF that tifffile understands."""
    _kept: bool = field(default=False, init=False)

    @property
    def is_folder(self) -> bool:
        """Whether the path leads to a folder."""
        return not self.magic

    def keep_tiff(self) -> None:
        """Leave the TIFF open; whoever reads it closes it."""
        self._kept = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.tiff is not None and not self._kept:
            self.tiff.close()


def probe(path: Path) -> Probe:
    """Return what one look at a file or folder shows; a TIFF is opened here and nowhere else.

    Raises
    ------
    UnreadableSlideError
        If the file is missing, empty or no file, or a TIFF in which `check_tiff` finds a reason
        to refuse it.
    """
    magic = _magic(path)
    if magic not in TIFF_MAGIC:
        return Probe(path, magic)
    try:
        file = tifffile.TiffFile(path)
    except DECODE_ERRORS as error:
        return Probe(path, magic, tiff_error=error)
    try:
        check_tiff(path, file)
        return Probe(path, magic, file, is_ome=file.is_ome)
    except UnreadableSlideError:
        file.close()
        raise
    except DECODE_ERRORS:  # OpenSlide may understand it
        return Probe(path, magic, file)
    except BaseException:
        file.close()
        raise


def is_regular(path: Path) -> bool:
    """Whether the path leads to a file: no folder, pipe or device, and something at all."""
    return stat.S_ISREG(_mode(path))


def cannot_open(path: Path, reason: str | None) -> UnreadableSlideError:
    """Return the error for a path that leads to no file that can be opened."""
    return UnreadableSlideError(f"{path} cannot be opened ({reason}); check the path in slides.tsv")


def _mode(path: Path) -> int:
    """Return the kind of a file, 0 if it cannot be told."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):  # missing, or a name that no file can have
        return 0


def _magic(path: Path) -> bytes:
    """Return the first bytes of a file that is there and not empty; none of a folder."""
    mode = _mode(path)
    if stat.S_ISDIR(mode):
        return b""
    if mode and not stat.S_ISREG(mode):
        raise UnreadableSlideError(
            f"{path} is a pipe or a device, not a file; copy the slide to a file"
        )
    try:
        with path.open("rb") as stream:
            magic = stream.read(4)
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise cannot_open(path, reason) from None
    if not magic:
        raise UnreadableSlideError(f"{path} is empty; copy it again from its source")
    return magic
