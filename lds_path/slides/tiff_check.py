"""Checks of a TIFF, made before a library that trusts its header reads the pixels."""

from __future__ import annotations

import math
import struct
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from lds_path.errors import UnreadableSlideError
from lds_path.slides.safe_xml import has_document_type

if TYPE_CHECKING:
    import tifffile

    from lds_path.remote.address import SlidePath

MAX_TILE_PIXELS = 2**24
"""Libraries hold some tiles whole; one that needs more memory than available ends the process."""
MAX_TAGS = 4096
DECODE_ERRORS = (
    OSError, RuntimeError, ValueError, TypeError, LookupError, ArithmeticError, zlib.error,
    struct.error,
)  # fmt: skip
"""What tifffile and imagecodecs raise for bytes that do not match their header."""


def check_tiff(path: SlidePath, file: tifffile.TiffFile) -> None:
    """Refuse a TIFF that is cut short, or that no library can read with bounded memory and time.

    Raises
    ------
    UnreadableSlideError
        If directories or pixels lie beyond the file's end, the chain of directories has no end,
        a tile is too large to hold, tiles are not of 8 bits, or XML declares entities.
    """
    _check_chain(path, file)
    for page in file.pages:
        check_page(path, page, file.filehandle.size)
    first = file.pages.first
    if first.is_tiled and first.dtype is not None and first.dtype != np.uint8:
        raise unsuitable(path, f"pixels of type {first.dtype}")
    if any(has_document_type(text) for text in _xml_of(first)):
        raise UnreadableSlideError(
            f"{path} has XML with a document type, which no scanner writes and which may"
            " expand without end; convert it with a tool that you trust"
        )


def check_page(path: SlidePath, page: Any, file_bytes: int) -> None:  # noqa: ANN401 - a tifffile page
    """Refuse a page with tiles or strips that are missing, beyond the file's end or too large.

    Raises
    ------
    UnreadableSlideError
        If it has any.
    """
    keyframe = page.keyframe
    if keyframe.is_tiled and keyframe.tilewidth * keyframe.tilelength > MAX_TILE_PIXELS:
        raise UnreadableSlideError(
            f"{path} has tiles of {keyframe.tilewidth} x {keyframe.tilelength} pixels; expected"
            f" at most {MAX_TILE_PIXELS // 10**6} million pixels in a tile; convert it to smaller"
            " tiles (vips tiffsave --tile --pyramid)"
        )
    if keyframe.is_tiled and not (keyframe.tilewidth and keyframe.tilelength):
        raise UnreadableSlideError(
            f"{path} is damaged: its tiles have no width or height; copy it again from its source"
        )
    _check_count(path, page)
    # The byte counts of an NDPI beyond 4 GiB are not reliable.
    counts = page.databytecounts if not page.parent.is_ndpi else [1] * len(page.dataoffsets)
    pieces = zip(page.dataoffsets, counts, strict=False)
    if max((start + count for start, count in pieces if count), default=0) > file_bytes:
        raise _cut_short(path, "tiles")


def _check_count(path: SlidePath, page: Any) -> None:  # noqa: ANN401 - a tifffile page
    """Refuse a page whose size is that of more tiles, or strips, than it lists."""
    keyframe = page.keyframe
    if page.parent.is_ndpi or not (keyframe.is_tiled or keyframe.rowsperstrip):
        return  # an NDPI's one strip has more rows than its tag can hold
    if len(page.dataoffsets) < math.prod(keyframe.chunked):
        kind = "tiles" if keyframe.is_tiled else "strips"
        raise UnreadableSlideError(
            f"{path} is damaged: it lists {len(page.dataoffsets)} {kind} for an image of"
            f" {keyframe.imagewidth} x {keyframe.imagelength}; copy it again from its source"
        )


def _xml_of(page: Any) -> list[str]:  # noqa: ANN401 - a tifffile page
    """Return the texts of a page that tifffile or OpenSlide parse as XML."""
    tags = [page.tags.valueof(name) for name in ("ImageDescription", "XMP")]
    texts = [tag.decode("latin-1") if isinstance(tag, bytes) else str(tag or "") for tag in tags]
    return [text for text in texts if text.lstrip("\ufeffï»¿ \t\r\n").startswith("<")]


def unsuitable(path: SlidePath, finding: str) -> UnreadableSlideError:
    """Return the error for pixels of a kind that the pipeline does not use."""
    return UnreadableSlideError(
        f"{path} has {finding}; expected 8-bit RGB or grey; convert it to 8-bit RGB"
    )


def _check_chain(path: SlidePath, file: tifffile.TiffFile) -> None:
    """Follow the directories from first to last."""
    stream, form = file.filehandle, file.tiff
    pointer = 8 if form.is_bigtiff else 4  # to the offset of the next directory
    seen: set[int] = set()
    while True:
        (offset,) = _unpack(path, stream, pointer, form.offsetformat)
        if offset == 0:
            break
        if offset in seen:
            raise UnreadableSlideError(
                f"{path} is a damaged TIFF (its directories form a cycle); copy it again from"
                " its source"
            )
        seen.add(offset)
        (tags,) = _unpack(path, stream, offset, form.tagnoformat)
        if tags > MAX_TAGS:
            raise UnreadableSlideError(
                f"{path} is a damaged TIFF (a directory with {tags} tags); copy it again from its"
                " source"
            )
        pointer = offset + form.tagnosize + tags * form.tagsize
    if not seen:
        raise UnreadableSlideError(f"{path} is a TIFF without an image; check where it comes from")


def _unpack(path: SlidePath, stream: Any, position: int, form: str) -> tuple[int, ...]:  # noqa: ANN401
    stream.seek(position)
    content = stream.read(struct.calcsize(form))
    if len(content) < struct.calcsize(form):
        raise _cut_short(path, "directories")
    return struct.unpack(form, content)


def _cut_short(path: SlidePath, what: str) -> UnreadableSlideError:
    return UnreadableSlideError(
        f"{path} is cut short or damaged: it has {what} beyond its end; copy it again from its"
        " source"
    )
