"""A file probed once, so that every reader can tell whether the file is of its kind."""

from __future__ import annotations

import stat
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import tifffile

from lds_path.errors import UnreadableSlideError
from lds_path.remote.address import RemotePath
from lds_path.remote.remote_file import RemoteFile
from lds_path.slides.tiff_check import DECODE_ERRORS, check_tiff

if TYPE_CHECKING:
    from pathlib import Path

    from lds_path.remote.address import SlidePath

TIFF_MAGIC = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}


@dataclass
class Probe:
    """The first bytes of a file and its open TIFF, which is closed unless a reader keeps it."""

    path: SlidePath
    magic: bytes
    """The first four bytes; empty for a folder."""
    tiff: tifffile.TiffFile | None = None
    """The file as tifffile opens it, checked; None if it is no TIFF or damaged."""
    tiff_error: Exception | None = None
    """Why tifffile cannot open a file that starts like a TIFF."""
    is_ome: bool = False
    """Whether it is an OME-TIFF that tifffile understands."""
    scene: str = ""
    """Number or name of the image that is asked for, of a file with several; else empty."""
    remote: RemoteFile | None = None
    """The file, if it lies on a server."""
    _kept: bool = field(default=False, init=False)

    @property
    def file(self) -> Path:
        """Its path on a disk, for readers that need one.

        Raises
        ------
        TypeError
            If it lies on a server: such readers are not asked.
        """
        if isinstance(self.path, RemotePath):
            raise TypeError(f"{self.path} is no file on a disk")
        return self.path

    @property
    def is_folder(self) -> bool:
        """Whether the path leads to a folder."""
        return not self.magic

    def keep_tiff(self) -> None:
        """Leave the TIFF open; its reader closes it."""
        self._kept = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.tiff is not None and not self._kept:
            self.tiff.close()


def probe(path: SlidePath, scene: str = "") -> Probe:
    """Return the probe of a file or folder; a TIFF is opened here and nowhere else.

    Parameters
    ----------
    path
        The file or folder.
    scene
        Number or name of the image that is asked for.

    Raises
    ------
    UnreadableSlideError
        If the file is missing, empty or not a file, or a TIFF that `check_tiff` refuses.
    RemoteError
        If it lies on a server that cannot be reached or refuses.
    """
    if isinstance(path, RemotePath):
        return _probe_remote(path, scene)
    magic = _magic(path)
    if magic not in TIFF_MAGIC:
        return Probe(path, magic, scene=scene)
    try:
        file = tifffile.TiffFile(path)
    except DECODE_ERRORS as error:
        return Probe(path, magic, tiff_error=error, scene=scene)
    return _check(Probe(path, magic, file, scene=scene), file)


def _probe_remote(path: RemotePath, scene: str) -> Probe:
    """Return the probe of a file on a server, of which the directories are read; an OME-Zarr has none."""
    if path.is_in_store:
        return Probe(path, b"", scene=scene)
    remote = RemoteFile(path)
    stream = remote.open_stream()
    magic = stream.read(4)
    if not magic:
        raise UnreadableSlideError(f"{path} is empty; copy it again from its source")
    if magic not in TIFF_MAGIC:
        return Probe(path, magic, scene=scene, remote=remote)
    stream.seek(0)
    try:
        # What its OME-XML names is not looked for: it would be among the files of this computer.
        file = tifffile.TiffFile(stream, name=path.name, _multifile=False)
        probed = _check(Probe(path, magic, file, scene=scene, remote=remote), file)
    except DECODE_ERRORS as error:
        probed = Probe(path, magic, tiff_error=error, scene=scene, remote=remote)
    if remote.failure is not None:  # tifffile passes over some errors
        raise remote.failure
    return probed


def _check(probed: Probe, file: tifffile.TiffFile) -> Probe:
    """Return the probe of a TIFF that is open, checked."""
    try:
        check_tiff(probed.path, file)
        probed.is_ome = file.is_ome
    except UnreadableSlideError:
        file.close()
        raise
    except DECODE_ERRORS:  # OpenSlide may understand it
        return probed
    except BaseException:
        file.close()
        raise
    return probed


def is_regular(path: Path) -> bool:
    """Return whether the path leads to a regular file, not to a folder, pipe, device or nothing."""
    return stat.S_ISREG(_mode(path))


def cannot_open(path: Path, reason: str | None) -> UnreadableSlideError:
    """Return the error for a path whose file is missing or cannot be opened."""
    return UnreadableSlideError(f"{path} cannot be opened ({reason}); check the path in slides.tsv")


def _mode(path: Path) -> int:
    """Return the mode of a file, 0 if unknown."""
    try:
        return path.stat().st_mode
    except (OSError, ValueError):  # missing, or a name that no file can have
        return 0


def _magic(path: Path) -> bytes:
    """Return the first bytes of a file, which must exist and not be empty; none of a folder."""
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
