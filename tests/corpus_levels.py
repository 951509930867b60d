"""Slides whose levels lack tiles or are filled up, and slides in black, after public bug reports.

Each recipe returns the working pixels that the slide shows.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from corpus_case import DONE, QUARANTINED, Case
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from corpus_recipes import Source
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

GLASS = (243, 243, 245)
TILE = 128
APERIO = "Aperio Image Library v11.2.1 \n{0}x{1} [0,0 {0}x{1}] ({2}x{2}) -> {3}x{4} JPEG/RGB Q=90"


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _without_tiles()
    yield from _padded()
    yield from _in_black()


def _without_tiles() -> Iterator[Case]:
    for vendor in ("svs", "tif", "ome.tif"):
        file = f"slide.{vendor}"
        yield Case(f"working-level-lacks-tiles-{vendor}", working_level_lacks_tiles, DONE,
                   file=file, unreadable=0)  # fmt: skip
        yield Case(f"level-0-lacks-tiles-{vendor}", level_0_lacks_tiles, DONE, file=file,
                   unreadable=2)  # fmt: skip
        for steps in ((1, 4), (1, 4, 16)):
            for flaw in ("lost", "mixed"):
                coarse = partial(coarse_level_is_wrong, steps=steps, flaw=flaw)
                yield Case(f"coarse-tiles-{flaw}-{len(steps)}-levels-{vendor}", coarse, DONE,
                           file=file, unreadable=0, detected=True)  # fmt: skip
        yield Case(f"glass-was-not-stored-{vendor}", sparse, DONE, file=file, unreadable=0,
                   detected=True)  # fmt: skip
        yield Case(f"half-of-level-0-is-lost-{vendor}", partial(level_0_lacks_tiles, every=2),
                   QUARANTINED, "have no bytes", file)  # fmt: skip
    damaged = partial(coarse_level_is_wrong, steps=(1, 4), flaw="spoilt")
    yield Case("coarse-tiles-spoilt", damaged, DONE, file="slide.tif", detected=True)


def _padded() -> Iterator[Case]:
    for vendor in ("tif", "ome.tif"):
        for working_mpp, steps in ((1.0, (1, 4)), (1.0, (1, 2, 4)), (0.5, (1, 2))):
            full = partial(padded_levels, steps=steps, working=round(working_mpp / 0.25))
            yield Case(f"padded-{'-'.join(map(str, steps))}-at-{working_mpp}-{vendor}", full, DONE,
                       file=f"slide.{vendor}", slide_mpp=0.25, working_mpp=working_mpp,
                       mpp=working_mpp)  # fmt: skip
    yield Case("padded-coarse-level", padded_coarse_level, DONE, file="slide.tif", detected=True)


def _in_black() -> Iterator[Case]:
    for percent in (40, 6):
        black = partial(in_black, percent=percent)
        yield Case(f"black-around-{percent}-percent", black, DONE, file="slide.tif", detected=True)


# --- tiles that are not there ----------------------------------------------------------------


def working_level_lacks_tiles(path: Path, source: Source) -> Pixels:
    """Write a slide of 0.25 um whose second level, that of the analysis, lacks every third tile."""
    pixels = enlarged(source.pixels, 1024, 768)
    write_levels(path, pixels, 0.25, steps=(1, 2, 4))
    set_tiles(path, 1, dict.fromkeys(range(0, 12, 3), (0, 0)))
    return reduced(first_level(path), 2)


def level_0_lacks_tiles(path: Path, source: Source, *, every: int = 0) -> Pixels:
    """Write a slide of which two tiles, or every second, are lost; a coarse level shows them."""
    pixels = enlarged(source.pixels, 1024, 768)
    write_levels(path, pixels, 0.5, steps=(1, 4))
    shown = first_level(path)
    lost = range(0, 48, every) if every else (9, 20)
    set_tiles(path, 0, dict.fromkeys(lost, (0, 0)))
    for index in lost:
        row, column = divmod(index, 8)
        shown[row * TILE : (row + 1) * TILE, column * TILE : (column + 1) * TILE] = 255
    return shown


def coarse_level_is_wrong(path: Path, source: Source, *, steps: Sequence[int], flaw: str) -> Pixels:
    """Write a slide with tissue at its right, whose coarsest level shows glass there."""
    pixels = on_glass(source.pixels, 3072, 2048, (2304, 600))
    write_levels(path, pixels, 0.5, steps=steps)
    level = len(steps) - 1
    tile, side = TILE * steps[level], len(steps)
    with tifffile.TiffFile(path) as file:
        page = page_of(file, level)
        places = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    across = -(-3072 // tile)
    wrong = [n for n in range(len(places)) if (n % across + 1) * tile > 2304 - tile // side]
    if flaw == "spoilt":
        with path.open("r+b") as stream:
            for index in wrong:
                stream.seek(places[index][0])
                stream.write(b"\x5a" * places[index][1])
    else:
        set_tiles(path, level, dict.fromkeys(wrong, places[0] if flaw == "mixed" else (0, 0)))
    return first_level(path)


def sparse(path: Path, source: Source) -> Pixels:
    """Write a slide whose tiles of glass are stored at no level."""
    pixels = on_glass(source.pixels, 2048, 1536, (1100, 600), value=(255, 255, 255))
    pixels[:256] = GLASS
    write_levels(path, pixels, 0.5, steps=(1, 4))
    shown = first_level(path)
    for level, step in enumerate((1, 4)):
        view = reduced(pixels, step)
        across = -(-view.shape[1] // TILE)
        empty = {}
        for index in range(across * -(-view.shape[0] // TILE)):
            top, left = (place * TILE for place in divmod(index, across))
            if (view[top : top + TILE, left : left + TILE] == 255).all():
                empty[index] = (0, 0)
        set_tiles(path, level, empty)
    return shown[:1152] if path.name == "slide.tif" else shown  # OpenSlide sees the bounds


# --- levels filled up to whole tiles -----------------------------------------------------------


def padded_levels(path: Path, source: Source, *, steps: Sequence[int], working: int) -> Pixels:
    """Write levels of 0.25 um and coarser, each filled up to whole tiles."""
    pixels = enlarged(source.pixels, 1536, 1248)
    write_levels(path, pixels, 0.25, steps=steps, pad=True, codec="deflate")
    return reduced(padded(pixels), working)


def padded_coarse_level(path: Path, source: Source) -> Pixels:
    """Write a slide whose coarse level says 15.4 by its size, with tissue at the far edge."""
    pixels = on_glass(source.pixels, 3952, 1936, (3952 - 600, 1936 - 480))
    write_levels(path, pixels, 0.5, steps=(1, 16), pad=True)
    return first_level(path)


# --- black ------------------------------------------------------------------------------------


def in_black(path: Path, source: Source, *, percent: int) -> Pixels:
    """Write a slide that a scanner has filled up with black."""
    scanned = on_glass(source.pixels, 1024, 768, (200, 130))
    side = round((1024 * 768 * 100 / percent) ** 0.5)
    pixels = np.zeros((side, side, 3), np.uint8)
    top, left = (side - 768) // 2, (side - 1024) // 3
    pixels[top : top + 768, left : left + 1024] = scanned
    write_levels(path, pixels, 0.5, steps=(1, 4, 16))
    return first_level(path)


# --- writing ----------------------------------------------------------------------------------


def write_levels(
    path: Path,
    pixels: Pixels,
    mpp: float,
    *,
    steps: Sequence[int],
    pad: bool = False,
    codec: str = "jpeg",
) -> None:
    """Write a pyramid as Aperio, OME-TIFF or a TIFF of no vendor, by the file's name."""
    ome, aperio = path.name.endswith(".ome.tif"), path.suffix == ".svs"
    height, width = pixels.shape[:2]
    size = {"PhysicalSizeX": mpp, "PhysicalSizeY": mpp}
    with tifffile.TiffWriter(path, ome=ome) as writer:
        for number, step in enumerate(steps):
            level = reduced(pixels, step)
            text = APERIO.format(width, height, TILE, level.shape[1], level.shape[0])
            options: dict[str, Any] = {"metadata": None, "subfiletype": int(number > 0)}
            if ome and not number:
                options = {"metadata": {"axes": "YXS"} | size, "subifds": len(steps) - 1}
            if aperio:
                options |= {"description": f"{text}|AppMag = 20|MPP = {mpp}", "subfiletype": 0}
            level = padded(level) if pad else level
            writer.write(
                level, tile=(TILE, TILE), photometric="rgb", compression=codec,
                compressionargs={"level": 95} if codec == "jpeg" else None,
                resolution=(1e4 / mpp / step,) * 2, resolutionunit="CENTIMETER", **options,
            )  # fmt: skip


def set_tiles(path: Path, level: int, places: dict[int, tuple[int, int]]) -> None:
    """Let tiles of a level lie elsewhere, at (offset, count); (0, 0) is nowhere."""
    with tifffile.TiffFile(path, mode="r+b") as file:
        page = page_of(file, level)
        offsets, counts = list(page.dataoffsets), list(page.databytecounts)
        for index, (offset, count) in places.items():
            offsets[index], counts[index] = offset, count
        page.tags["TileOffsets"].overwrite(offsets)
        page.tags["TileByteCounts"].overwrite(counts, dtype=4)


def page_of(file: tifffile.TiffFile, level: int) -> Any:
    """Return the page of a level; tifffile takes an Aperio's second page for a thumbnail."""
    if str(file.filename).endswith(".svs"):
        return file.pages[level]
    return file.series[0].levels[level].pages[0]


def first_level(path: Path) -> Pixels:
    """Return level 0 as it is stored."""
    return np.asarray(tifffile.imread(path, key=0))


def padded(pixels: Pixels) -> Pixels:
    """Return pixels, filled up to whole tiles."""
    edges = [(0, -length % TILE) for length in pixels.shape[:2]]
    return np.pad(pixels, (*edges, (0, 0)), constant_values=235)


def enlarged(pixels: Pixels, width: int, height: int) -> Pixels:
    """Return pixels, mirrored until they fill a size."""
    margins = ((0, height - pixels.shape[0]), (0, width - pixels.shape[1]), (0, 0))
    return np.pad(pixels, margins, mode="symmetric")


def on_glass(
    pixels: Pixels,
    width: int,
    height: int,
    corner: tuple[int, int],
    *,
    value: tuple[int, int, int] = GLASS,
) -> Pixels:
    """Return pixels at a corner, (x, y), of glass."""
    glass = np.empty((height, width, 3), np.uint8)
    glass[:] = value
    left, top = corner
    shown = glass[top : top + pixels.shape[0], left : left + pixels.shape[1]]
    shown[:] = pixels[: shown.shape[0], : shown.shape[1]]
    return glass


def reduced(pixels: Pixels, step: int) -> Pixels:
    """Return the means of squares; the last ones are cut off by the edge."""
    return np.asarray(Image.fromarray(pixels).reduce(step))
