"""tile: a slide becomes a pyramid whose level 0 has the working microns per pixel."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from lds_path.errors import UsageError
from lds_path.formats.pyramid import CHUNK, PYRAMID_NAME
from lds_path.formats.pyramid_writer import write_pyramid
from lds_path.formats.results import TileResults
from lds_path.geometry import Frame, Rectangle, Size
from lds_path.option import as_parameters
from lds_path.options.slides import TileOptions
from lds_path.pixels.area_mean import halve
from lds_path.pixels.glass import is_glass
from lds_path.provenance.fingerprint import note_input
from lds_path.provenance.stage_run import run_stage
from lds_path.quality.known_glass import find_glass
from lds_path.slides.companions import find_slide_files
from lds_path.slides.probe import is_regular
from lds_path.slides.slide import open_slide

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.pixels.glass import Color
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageInputs
    from lds_path.slides.reader import Level
    from lds_path.slides.slide import Slide

log = logging.getLogger(__name__)

MPP_TOLERANCE = 0.05
"""A level, or a whole-number reduction of one, is used as it is within this fraction of the mpp."""
MAX_PITCH = 4.0
"""A level that OpenSlide would interpolate is avoided for one up to this many times finer."""
READ_EDGE = 2048
"""Slide pixels are read in squares of about this edge."""
WHITE = 255


@dataclass(frozen=True)
class Source:
    """What the working pixels are read from."""

    level: int
    """Level of the slide."""
    pitch: float
    """Pixels of that level per working pixel, >= 1."""
    downsample: float
    """Level-0 pixels per working pixel."""


def tile(
    slide: Path,
    output: Path,
    *,
    options: TileOptions = TileOptions(),
    threads: int = 1,
    strict: bool = False,
) -> Manifest:
    """Write the pyramid of a slide.

    Parameters
    ----------
    slide
        Slide or plain image.
    output
        Folder to write.
    options
        See `TileOptions`.
    threads
        Number of blocks that are read and compressed at the same time.
    strict
        Fail instead of putting the slide in quarantine.

    Returns
    -------
    Manifest
        With the frame, the mpp and its source, and what could not be read.

    Raises
    ------
    UsageError
        If there are no threads.
    """
    if threads < 1:
        raise UsageError(f"threads is {threads}; expected at least 1")

    files = note_input(slide, find_slide_files(slide))

    def work(folder: Path, _: StageInputs) -> TileResults:
        limit = options.max_unreadable_percent
        with open_slide(slide, mpp=options.slide_mpp, max_unreadable_percent=limit) as opened:
            return _write(opened, folder, options.mpp, threads)

    return run_stage(
        "tile",
        output,
        work,
        inputs={"slide": files} if is_regular(slide) else {},
        parameters=as_parameters(options) | {"slide_mpp": _to_json(options.slide_mpp)},
        strict=strict,
    )


def choose_source(slide_mpp: float, levels: Sequence[Level], mpp: float) -> Source:
    """Return the level and the pitch that give the working mpp with the least reading.

    A level, or a whole-number reduction of one, within 5 % of the working mpp is used as it is;
    else the next finer level is resampled to the working mpp exactly. Nothing is upsampled. A level
    that OpenSlide would interpolate is avoided if a finer one can be halved instead.

    Parameters
    ----------
    slide_mpp
        Microns per level-0 pixel.
    levels
        Of the slide, from the finest.
    mpp
        Working microns per pixel.
    """
    if slide_mpp * (1 + MPP_TOLERANCE) >= mpp:
        return Source(level=0, pitch=1.0, downsample=1.0)
    fitting: list[tuple[bool, int, int]] = []
    for index, level in enumerate(levels):
        factor = max(round(mpp / (slide_mpp * level.downsample)), 1)
        if abs(factor * level.downsample * slide_mpp / mpp - 1) <= MPP_TOLERANCE:
            fitting.append((factor > 2 or not level.aligned, factor, index))
    if fitting:
        _, factor, index = min(fitting)
        return Source(index, float(factor), factor * levels[index].downsample)
    pitches = {
        index: mpp / (slide_mpp * level.downsample)
        for index, level in enumerate(levels)
        if slide_mpp * level.downsample < mpp
    }
    exact = [k for k, pitch in pitches.items() if levels[k].aligned and pitch <= MAX_PITCH]
    index = min(exact or pitches, key=pitches.__getitem__)
    return Source(index, pitches[index], mpp / slide_mpp)


class BlockReader:
    """Reads blocks of working pixels, with glass replaced by the background."""

    def __init__(self, slide: Slide, source: Source) -> None:
        self.slide = slide
        self.source = source
        level_size = slide.levels[source.level].size
        self.size = Size(
            max(int(np.ceil(level_size.width / source.pitch - 1e-6)), 1),
            max(int(np.ceil(level_size.height / source.pitch - 1e-6)), 1),
        )
        self.edge = max(2 ** int(np.log2(READ_EDGE / source.pitch)), 1)
        self.glass, self.glass_chunks = find_glass(slide, source.level, source.downsample)
        self.background = WHITE if self.glass is None else round(sum(self.glass) / 3)

    def read_block(self, left: int, top: int, size: Size) -> NDArray[np.uint8] | None:
        """Return working pixels, (3, H, W), or None if all are glass.

        The corner must lie on a chunk.
        """
        block: NDArray[np.uint8] | None = None
        for piece in Rectangle.whole(size).pieces(self.edge):
            on_slide = piece.seen_from(-left, -top)
            if self._known_glass(on_slide):
                continue
            if block is None:
                block = np.full((3, size.height, size.width), self.background, np.uint8)
            block[:, *piece.slices] = self._read_piece(on_slide)
        if block is not None and self.glass is not None:
            _flatten_glass(block, self.glass, self.background)
        return block

    def _known_glass(self, piece: Rectangle) -> bool:
        """Whether coarse levels show glass in all chunks of a piece."""
        if self.glass_chunks is None:
            return False
        return bool(self.glass_chunks[piece.reduced(CHUNK).slices].all())

    def _read_piece(self, piece: Rectangle) -> NDArray[np.uint8]:
        level, pitch = self.source.level, self.source.pitch
        x, y = piece.left * pitch, piece.top * pitch
        right = int(np.ceil(x + piece.size.width * pitch))
        bottom = int(np.ceil(y + piece.size.height * pitch))
        touched = Rectangle.between(int(x), int(y), right, bottom)
        touched = touched.clipped(self.slide.levels[level].size)
        pixels = self.slide.read_region(level, touched.left, touched.top, touched.size)
        planes = pixels.transpose(2, 0, 1)
        if pitch == 1:
            return planes
        if pitch == 2:
            return halve(np.ascontiguousarray(planes))
        from lds_path.pixels.area_mean import area_mean  # numba takes half a second to import

        left, top = x - touched.left, y - touched.top
        return area_mean(pixels, piece.size, pitch=pitch, left=left, top=top)


def _to_json(number: float | None) -> float | str | None:
    """Return a number, as text if JSON cannot hold it."""
    return number if number is None or math.isfinite(number) else str(number)


def _write(slide: Slide, folder: Path, mpp: float, threads: int) -> TileResults:
    source = choose_source(slide.mpp, slide.levels, mpp)
    frame = Frame(
        mpp=slide.mpp * source.downsample,
        downsample=source.downsample,
        left_l0=slide.bounds_l0.left,
        top_l0=slide.bounds_l0.top,
    )
    if slide.description.other_images:
        log.warning(
            "%s holds other images, which are not analysed: %s",
            slide.path.name,
            "; ".join(slide.description.other_images),
        )
    reader = BlockReader(slide, source)
    levels = write_pyramid(
        folder / PYRAMID_NAME,
        reader.read_block,
        reader.size,
        frame,
        background=reader.background,
        threads=threads,
        name=slide.path.stem,
    )
    return TileResults(
        width=reader.size.width,
        height=reader.size.height,
        mpp=frame.mpp,
        downsample=frame.downsample,
        left_l0=slide.bounds_l0.left,
        top_l0=slide.bounds_l0.top,
        width_l0=slide.size.width,
        height_l0=slide.size.height,
        slide_mpp=slide.mpp,
        mpp_source=slide.mpp_source,
        vendor=slide.description.vendor,
        file=slide.path.name,
        format=slide.description.format,
        levels=levels,
        slide_level=source.level,
        unreadable_tiles=slide.unreadable_tiles,
        background=reader.background,
        icc=slide.description.icc_profile,
        objective_power=slide.description.objective_power,
        painted=slide.description.painted,
        other_images=slide.description.other_images,
    )


def _flatten_glass(block: NDArray[np.uint8], color: Color, background: int) -> None:
    """Fill every chunk of a block that shows only glass with the background, in place."""
    _, height, width = block.shape
    for top, left in product(range(0, height, CHUNK), range(0, width, CHUNK)):
        chunk = block[:, top : top + CHUNK, left : left + CHUNK]
        if is_glass(chunk, color):
            chunk[:] = background
