"""Slides whose size or resolution is stated in odd ways, after public bug reports.

Each recipe returns the working pixels that the slide shows, where it can be analysed.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import corpus_recipes as make
import numpy as np
import tifffile
from corpus_case import DONE, QUARANTINED, Case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from corpus_recipes import Source
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]


def cases() -> Iterator[Case]:
    """Yield the cases."""
    tif, ome = "slide.tif", "slide.ome.tif"
    yield Case("mpp-with-a-comma", mpp_with_a_comma, DONE, mpp=0.5)
    inches = partial(page, resolution=(50_800, 50_800), resolutionunit="INCH")
    yield Case("resolution-in-inches", inches, DONE, file=tif, mpp=0.5)
    yield Case("resolution-as-a-fraction", fraction, DONE, file=tif, mpp=0.5)
    tenfold = partial(page, resolution=(4e5, 4e5))
    yield Case("resolution-ten-times-too-high", tenfold, QUARANTINED, "mpp", tif)
    for name, size, unit in (("nm", "500", "nm"), ("mm", "0.0005", "mm"), ("greek", "0.5", "μm")):
        stated = partial(described, text=make.ome_xml(size, unit=unit).encode())
        yield Case(f"ome-in-{name}", stated, DONE, file=ome, mpp=0.5)
    latin = partial(described, text=make.ome_xml().encode("latin-1"))
    yield Case("ome-in-latin-1", latin, DONE, file=ome, mpp=0.5)
    lost = partial(described, text=make.ome_xml(unit="?m").encode())
    yield Case("ome-with-a-lost-micro-sign", lost, QUARANTINED, "mpp", ome)
    thin = partial(page, height=40, width=100_000)
    yield Case("thin", thin, DONE, file=tif, mpp=0.5)
    yield Case("tiny", partial(page, height=5, width=5), DONE, file=tif, mpp=0.5)
    odd_tiles = partial(page, tile=(240, 240), compression="lzw", predictor=True)
    yield Case("tiles-of-240", odd_tiles, DONE, file=tif, mpp=0.5)


def page(
    path: Path, source: Source, *, height: int = 480, width: int = 600, **options: Any
) -> Pixels:
    """Write one page, of 0.5 um if nothing else is said."""
    pixels = np.resize(source.pixels, (height, width, 3))
    make.write_tiff(path, source, change=lambda _: pixels, **options)
    return pixels


def described(path: Path, source: Source, *, text: bytes) -> Pixels:
    """Write an OME-TIFF with any bytes as its XML."""
    make.write_tiff(path, source, description=text, resolution=None, resolutionunit=None)
    return source.pixels


def fraction(path: Path, source: Source) -> Pixels:
    """Write a resolution of 20 000 pixels per cm as 3571428571 / 178571."""
    make.write_resolution(path, source, numbers=(3_571_428_571, 178_571))
    return source.pixels


def mpp_with_a_comma(path: Path, source: Source) -> Pixels:
    """Write an Aperio slide by a program in a language with decimal commas."""
    text = make.APERIO.format(600, 480, 240).replace("MPP = 0.4990", "MPP = 0,500000")
    tifffile.imwrite(path, source.pixels, tile=(240, 240), photometric="rgb", compression="jpeg",
                     metadata=None, description=text)  # fmt: skip
    return np.asarray(tifffile.imread(path, key=0))
