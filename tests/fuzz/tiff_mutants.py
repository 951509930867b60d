"""One picture as many legal TIFFs, and damage whose place is known, so that the right pixels are."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from spoil import spoil_bytes

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from numpy.typing import NDArray

CHECKED = ("deflate", "zstd")
"""Compressions that notice a byte that has changed, or are asked to."""
APERIO = "Aperio Image Library v11.2.1\r\n{0}x{1} ({2}x{2}) JPEG/RGB Q=90|AppMag = 20|MPP = {3}"


@dataclass
class Tiff:
    """A TIFF that was written, and what is known of it."""

    path: Path
    pixels: NDArray[np.uint8]
    mpp: float
    compression: str | None
    lost: NDArray[np.bool_] = field(init=False)
    """Pixels of the finest level that damage may have reached."""
    known: bool = True
    """Whether the other pixels must be right, if it is read as an image of this size."""

    def __post_init__(self) -> None:
        self.lost = np.zeros(self.pixels.shape[:2], np.bool_)


def write_legal(
    path: Path, pixels: NDArray[np.uint8], random: Random, *, kind: str = "tiff"
) -> Tiff:
    """Write a picture, or labels, in a layout that the format allows."""
    colour = pixels.ndim == 3
    jpeg = kind == "svs"
    compression = "jpeg" if jpeg else random.choice((None, "deflate", "lzw", "deflate"))
    side = random.choice((64, 128, 240, 256)) if jpeg or random.random() < 0.8 else None
    mpp = random.choice((0.25, 0.4, 0.5, 1.0))
    layout: dict[str, Any] = {
        "photometric": "rgb" if colour else "minisblack",
        "compression": compression,
        "predictor": compression in ("deflate", "lzw") and random.random() < 0.4,
        "resolution": (1e4 / mpp, 1e4 / mpp),
        "resolutionunit": "CENTIMETER",
        "metadata": None,
    }
    layout |= {"tile": (side, side)} if side else {"rowsperstrip": random.choice((1, 7, 64))}
    layout |= {"compressionargs": {"level": 95}} if jpeg else {}
    head: dict[str, Any] = {}
    if kind == "svs":
        height, width = pixels.shape[:2]
        head["description"] = APERIO.format(width, height, side, mpp)
        layout["resolution"] = None
    levels = random.randrange(4) if colour else 0
    if kind == "ome":
        unit, factor = random.choice((("µm", 1.0), ("nm", 1000.0), ("mm", 0.001)))
        sizes = {f"PhysicalSize{axis}": mpp * factor for axis in "XY"}
        units = {f"PhysicalSize{axis}Unit": unit for axis in "XY"}
        head["metadata"] = {"axes": "YXS", **sizes, **units}
        head["subifds"] = levels
    big, order = random.random() < 0.3, "<" if jpeg else random.choice("<>")
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order, ome=kind == "ome") as writer:
        writer.write(pixels, **layout | head)
        if kind == "svs":
            writer.write(pixels[::4, ::4], **layout | {"tile": None, "rowsperstrip": 16})
        for level in range(1, levels + 1):
            reduced = {"subfiletype": 1} if kind != "svs" else {}
            writer.write(_reduce(pixels, 2**level), **layout | reduced)
        if kind == "svs" and random.random() < 0.5:
            text = f"Aperio Image Library v11.2.1\r\nmacro {pixels.shape[1] // 8}x9"
            writer.write(
                255 - pixels[::8, ::8], **layout | {"tile": None, "rowsperstrip": 16},
                subfiletype=9, description=text,
            )  # fmt: skip
    return Tiff(path, pixels, mpp, compression)


def damage(tiff: Tiff, random: Random) -> None:
    """Damage a TIFF in one of several ways, or leave it as it is."""
    ways = (_nothing, _spoil_coarse, _spoil_tiles, _cut, _set_tag, _set_tag, _flip_directory, _any)
    random.choice(ways)(tiff, random)


def _nothing(tiff: Tiff, random: Random) -> None:
    del tiff, random


def _spoil_coarse(tiff: Tiff, random: Random) -> None:
    """Overwrite or blank tiles of reduced levels, or their directory."""
    with tifffile.TiffFile(tiff.path) as file:
        pages = _pages(file)[1:]
        if not pages:
            return
        page = random.choice(pages)
        whole, offsets = random.random() < 0.5, list(page.dataoffsets)
        spans = list(zip(offsets, page.databytecounts, strict=True))
        spans = spans if whole else [random.choice(spans)]
        if random.random() < 0.3:
            spans = [(page.offset + 2, 12)]
    _overwrite(tiff.path, spans, random)


def _spoil_tiles(tiff: Tiff, random: Random) -> None:
    """Overwrite some tiles of the finest level."""
    with tifffile.TiffFile(tiff.path) as file:
        page = file.pages.first
        chosen = [n for n in range(len(page.dataoffsets)) if random.random() < 0.2] or [0]
        spans = [(page.dataoffsets[n], page.databytecounts[n]) for n in chosen]
        for n in chosen:
            tiff.lost[_segment(page, n)] = True
    _overwrite(tiff.path, spans, random)


def _cut(tiff: Tiff, random: Random) -> None:
    """Cut the file off; tiles that ended behind the cut are lost."""
    content = tiff.path.read_bytes()
    length = random.randrange(len(content))
    with tifffile.TiffFile(tiff.path) as file:
        page = file.pages.first
        for n, (offset, count) in enumerate(
            zip(page.dataoffsets, page.databytecounts, strict=True)
        ):
            if offset + count > length:
                tiff.lost[_segment(page, n)] = True
    tiff.path.write_bytes(content[:length])


def _set_tag(tiff: Tiff, random: Random) -> None:
    """Give a tag of some page another code, type, count or value."""
    with tifffile.TiffFile(tiff.path) as file:
        pages = _pages(file)
        number = random.randrange(len(pages))
        tag = random.choice(list(pages[number].tags.values()))
        order, big = file.byteorder, file.is_bigtiff
    start = tag.offset
    parts = [(start, "H"), (start + 2, "H"), (start + 4, "Q" if big else "I")]
    parts += [(start + (12 if big else 8), "I")] * 3
    place, kind = random.choice(parts)
    small = (0, 1, 2, 3, 4, 5, 7, 8, 16, 255, 256, 320, 65535)
    value = random.choice(small if kind == "H" else (*small, 2**20, 2**31, 2**32 - 1))
    content = bytearray(tiff.path.read_bytes())
    content[place : place + struct.calcsize(kind)] = struct.pack(f"{order}{kind}", value)
    tiff.path.write_bytes(content)
    tiff.known = number > 0


def _flip_directory(tiff: Tiff, random: Random) -> None:
    with tifffile.TiffFile(tiff.path) as file:
        pages = _pages(file)
        number = random.randrange(len(pages))
        start, end = pages[number].offset, pages[number].offset + 12 * len(pages[number].tags) + 6
    content = spoil_bytes(tiff.path.read_bytes(), random, start, end)
    tiff.path.write_bytes(content)
    tiff.known = False


def _any(tiff: Tiff, random: Random) -> None:
    tiff.path.write_bytes(spoil_bytes(tiff.path.read_bytes(), random))
    tiff.known = False


def _pages(file: tifffile.TiffFile) -> list[Any]:
    """Return the pages of a file and what is below the first."""
    first = file.pages.first
    return [*file.pages, *(first.pages or ())]


def _overwrite(path: Path, spans: list[tuple[int, int]], random: Random) -> None:
    how = random.choice(("noise", "blank", "some"))
    content = bytearray(path.read_bytes())
    for start, length in spans:
        if how == "some":
            content[start + random.randrange(max(length, 1))] ^= 0xFF
        else:
            new = random.randbytes(length) if how == "noise" else bytes(length)
            content[start : start + length] = new
    path.write_bytes(content)


def _segment(page: Any, number: int) -> tuple[slice, slice]:
    """Return rows and columns of a tile or strip."""
    if not page.is_tiled:
        return slice(number * page.rowsperstrip, (number + 1) * page.rowsperstrip), slice(None)
    across = -(-page.imagewidth // page.tilewidth)
    top, left = number // across * page.tilelength, number % across * page.tilewidth
    return slice(top, top + page.tilelength), slice(left, left + page.tilewidth)


def _reduce(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    height, width = (length // factor * factor for length in pixels.shape[:2])
    blocks = pixels[:height, :width].reshape(height // factor, factor, width // factor, factor, -1)
    return np.rint(blocks.mean(axis=(1, 3))).astype(np.uint8)
