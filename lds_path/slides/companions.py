"""Which files are a slide: the one that is named, and those without which it is not whole.

Found by names, and by the first bytes of files that may have companions, so that thousands of
slides take no time. Only files beside the named one, or in the folder of its name, count.
"""

from __future__ import annotations

import html
import re
from functools import lru_cache
from itertools import filterfalse
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import tifffile

from lds_path.remote.address import RemotePath
from lds_path.slides.dicom_header import has_pixels, read_series
from lds_path.slides.probe import TIFF_MAGIC, is_regular
from lds_path.slides.tiff_check import DECODE_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lds_path.remote.address import SlidePath

SINGLE_SUFFIXES = {
    ".svs", ".ndpi", ".scn", ".bif", ".czi", ".svslide", ".png", ".jpg", ".jpeg", ".jp2", ".webp",
}  # fmt: skip
"""Of formats that keep a slide in one file."""
HAMAMATSU = (b"[Virtual Microscope Specimen]", b"[Uncompressed Virtual Microscope Specimen]")
MAX_INDEX_BYTES = 2**20
_OME_NAME = re.compile(r"""(?:FileName|MetadataFile)\s*=\s*["']([^"']+)["']""")


def find_slide_files(path: SlidePath) -> tuple[SlidePath, ...]:
    """Return the files of a slide, the named one first, the others sorted; on a server it is one.

    Those of MIRAX lie in the folder of its name; Hamamatsu's index and OME-XML name others; of
    DICOM, the instances of one series in one folder are a slide, as for OpenSlide. Any other slide
    is one file, or the folder of a Zarr store, and so is one that cannot be read.
    """
    if isinstance(path, RemotePath):
        return (path,)
    return find_local_files(path)


def find_local_files(path: Path) -> tuple[Path, ...]:
    """Return the files of a slide on a disk, as `find_slide_files`."""
    suffix = path.suffix.lower()
    if suffix in SINGLE_SUFFIXES:
        return (path,)
    found = _files_of_mirax(path) if suffix == ".mrxs" else _find_named(path)
    return (path, *sorted(set(found) - {path}))


def find_short_instance(path: Path) -> Path | None:
    """Return a file beside a DICOM slide that may be a level of it, and ends before its pixels.

    OpenSlide leaves it out, and shows the slide without its level. A file whose series cannot be
    read may be of any slide in the folder.
    """
    named = [file for file in _files_in(path.parent) if file.suffix.lower() == ".dcm"]
    maybe = {file for file in named if not file.name.startswith(".") and not _series_of(file)}
    return next(filterfalse(has_pixels, sorted(maybe.union(_find_series(path)))), None)


def _files_of_mirax(path: Path) -> list[Path]:
    """Return the files in the folder of a slide, without those that file managers hide there."""
    return [file for file in _files_in(path.with_suffix("")) if not file.name.startswith(".")]


def _find_named(path: Path) -> list[Path]:
    """Return the companions of a file by its first bytes."""
    if not is_regular(path):  # a pipe would wait for a writer forever
        return []
    try:
        with path.open("rb") as stream:
            head = stream.read(132)
            if head.startswith(HAMAMATSU):
                index = (head + stream.read(MAX_INDEX_BYTES)).decode("latin-1")
                return _beside(
                    path, [line.partition("=")[2].strip() for line in index.splitlines()]
                )
    except (OSError, ValueError):
        return []
    if head[:4] in TIFF_MAGIC:
        return _beside(path, map(html.unescape, _OME_NAME.findall(_read_description(path))))
    if head.endswith(b"DICM"):
        return _find_series(path)
    return []


def _read_description(path: Path) -> str:
    """Return the text that the first page of a TIFF has, where OME-XML is."""
    try:
        text = tifffile.tiffcomment(path)
    except DECODE_ERRORS:
        return ""
    return text.decode(errors="replace") if isinstance(text, bytes) else text or ""


def _find_series(path: Path) -> list[Path]:
    """Return the instances of the series of a DICOM file in its folder."""
    series = _series_of(path)
    return [file for file in _files_in(path.parent) if _series_of(file) == series] if series else []


def _series_of(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return _cached_series(path, status.st_size, status.st_mtime_ns, status.st_ino)


@lru_cache(maxsize=2**16)
def _cached_series(path: Path, *_: int) -> str:
    """Return the series of a file; many slides may lie in one folder."""
    return read_series(path)


def _files_in(folder: Path) -> list[Path]:
    try:
        return [file for file in folder.iterdir() if file.is_file()]
    except OSError:
        return []


def _beside(path: Path, names: Iterable[str]) -> list[Path]:
    """Return the files of these names that lie in the folder of a file or below."""
    below = {PurePosixPath(name) for name in names if name}
    inside = [name for name in below if not name.is_absolute() and ".." not in name.parts]
    try:
        return [path.parent / name for name in inside if (path.parent / name).is_file()]
    except (OSError, ValueError):  # a name that no file can have
        return []
