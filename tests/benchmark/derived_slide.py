"""Derived slides of any size: real tissue, mirrored and repeated in tissue-shaped areas on glass."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
import pyvips
import tifffile
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = "CMU-1-Small-Region.svs"
TISSUE = (920, 1050, 400, 850)
"""Left, top, width and height of a part of the source that is tissue throughout."""
GLASS = (243, 242, 244)
MPP = 0.499
TISSUE_SHARE = 0.45


def write_derived_slide(path: Path, source: Path, side: int) -> None:
    """Write a tiled JPEG pyramid of side x side pixels, 45 % of them tissue."""
    slide = pyvips.Image.new_from_file(str(source)).extract_band(0, n=3)
    tissue = slide.crop(*TISSUE)
    wide = tissue.join(tissue.fliphor(), "horizontal")
    quilt = wide.join(wide.flipver(), "vertical")
    repeats = -(-side // quilt.width), -(-side // quilt.height)
    texture = quilt.replicate(*repeats).crop(0, 0, side, side)
    glass = (pyvips.Image.black(side, side, bands=3) + list(GLASS)).cast("uchar")
    mask = pyvips.Image.new_from_array(_tissue_shapes(1024)).cast("uchar")
    mask = mask.resize(side / 1024, kernel="linear") > 127
    mask.ifthenelse(texture, glass).tiffsave(
        str(path),
        tile=True,
        tile_width=256,
        tile_height=256,
        pyramid=True,
        compression="jpeg",
        Q=85,
        bigtiff=True,
        xres=1000 / MPP,
        yres=1000 / MPP,
        resunit="cm",
    )


def keep_levels(path: Path, pages: slice) -> None:
    """Unlink the other levels of a derived slide; their bytes stay in the file."""
    with tifffile.TiffFile(path) as file:
        offsets = [page.offset for page in file.pages][pages]
        order = file.byteorder
    with path.open("r+b") as stream:  # a BigTIFF: 8 bytes a number, 20 a tag
        for offset, following in zip(offsets, [*offsets[1:], 0], strict=True):
            stream.seek(offset)
            (tags,) = struct.unpack(f"{order}Q", stream.read(8))
            stream.seek(offset + 8 + 20 * tags)
            stream.write(struct.pack(f"{order}Q", following))


def linked_bytes(path: Path) -> int:
    """Return the bytes of a slide's tiles; levels that are not linked any more do not count."""
    with tifffile.TiffFile(path) as file:
        return sum(sum(page.databytecounts) for page in file.pages)


def _tissue_shapes(side: int) -> np.ndarray:
    """Return wavy pieces that cover the tissue's share of a square."""
    random = np.random.default_rng(4)
    angle = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    image = Image.new("L", (side, side))
    while np.mean(np.asarray(image) > 0) < TISSUE_SHARE:
        wave = sum(
            random.normal(0, 0.12 / n) * np.cos(n * angle + random.uniform(0, 6))
            for n in range(2, 8)
        )
        radius = side * random.uniform(0.08, 0.16) * (1 + wave)
        x, y = random.uniform(0, side, 2)
        outline = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], 1)
        ImageDraw.Draw(image).polygon([tuple(point) for point in outline.tolist()], fill=255)
    return np.asarray(image)
