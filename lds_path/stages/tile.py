"""tile: a slide becomes a pyramid whose level 0 has the working microns per pixel."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from lds_path.errors import UsageError
from lds_path.formats.pyramid import CHUNK, PYRAMID_NAME, halve, write_pyramid
from lds_path.geometry import Frame, Size
from lds_path.pixels.glass import glass_cells, glass_color, is_glass
from lds_path.provenance.stage_run import run_stage
from lds_path.slides.mpp import MAX_MPP, MIN_MPP, is_plausible
from lds_path.slides.slide import MAX_UNREADABLE_PERCENT, is_regular, open_slide

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.pixels.glass import Color
    from lds_path.provenance.manifest import Manifest
    from lds_path.slides.slide import Slide

MPP_TOLERANCE = 0.05
"""A level, or a whole reduction of one, this near to the working mpp is used as it is."""
MAX_PITCH = 4.0
"""A level that OpenSlide would interpolate is avoided if one at most this much finer is not."""
READ_EDGE = 2048
"""Slide pixels are read in squares of about this edge."""
COARSE_DOWNSAMPLES = (4.0, 32.0)
"""Working pixels per pixel of the level that shows where glass is."""
COARSE_PIXELS = 2**26
WHITE = 255
SAMPLES, SAMPLE_EDGE = 8, 128
"""Windows per axis, and their edge, that show the glass of a slide without a coarse level."""


@dataclass(frozen=True)
class Source:
    """What the working pixels are made from."""

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
    mpp: float = 0.5,
    slide_mpp: float | None = None,
    max_unreadable_percent: float = MAX_UNREADABLE_PERCENT,
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
    mpp
        Working microns per pixel; a slide that is coarser stays as it is.
    slide_mpp
        Microns per pixel of the slide by the sample sheet; goes before what the file says.
    max_unreadable_percent
        Tiles of the slide that may fail to decode: they are filled with white and counted.
    threads
        Number of blocks that are read and compressed at the same time.
    strict
        Fail instead of putting the slide in quarantine.

    Returns
    -------
    Manifest
        With the frame, the mpp and where it came from, and what could not be read.

    Raises
    ------
    UsageError
        If `mpp` is not one that a microscope makes, or there are no threads.
    """
    if not is_plausible(mpp):
        raise UsageError(f"mpp is {mpp:g}; expected {MIN_MPP:g} to {MAX_MPP:g} microns per pixel")
    if threads < 1:
        raise UsageError(f"threads is {threads}; expected at least 1")
    if not 0 <= max_unreadable_percent <= 100:
        raise UsageError(f"max_unreadable_percent is {max_unreadable_percent:g}; expected 0 to 100")

    def work(folder: Path) -> dict[str, Any]:
        limit = max_unreadable_percent
        with open_slide(slide, mpp=slide_mpp, max_unreadable_percent=limit) as opened:
            return _write(opened, folder, mpp, threads)

    return run_stage(
        "tile",
        output,
        work,
        inputs={"slide": slide} if is_regular(slide) else {},
        parameters={
            "mpp": mpp,
            "slide_mpp": _to_json(slide_mpp),
            "max_unreadable_percent": max_unreadable_percent,
        },
        strict=strict,
    )


def choose_source(
    slide_mpp: float, downsamples: Sequence[float], aligned: Sequence[bool], mpp: float
) -> Source:
    """Return the level and the pitch that give the working mpp with the least reading.

    A level, or a whole reduction of one, within 5 % of the working mpp is taken as it is; else
    the next finer level is resampled to the working mpp exactly. Nothing is upsampled. A level
    that OpenSlide would interpolate is avoided where halving a finer one does as well.

    Parameters
    ----------
    slide_mpp
        Microns per level-0 pixel.
    downsamples
        Level-0 pixels per pixel of each level.
    aligned
        Whether a level is read without interpolation.
    mpp
        Working microns per pixel.
    """
    if slide_mpp * (1 + MPP_TOLERANCE) >= mpp:
        return Source(level=0, pitch=1.0, downsample=1.0)
    near: list[tuple[bool, int, int]] = []
    for level, downsample in enumerate(downsamples):
        factor = max(round(mpp / (slide_mpp * downsample)), 1)
        if abs(factor * downsample * slide_mpp / mpp - 1) <= MPP_TOLERANCE:
            near.append((factor > 2 or not aligned[level], factor, level))
    if near:
        _, factor, level = min(near)
        return Source(level, float(factor), factor * downsamples[level])
    pitches = {
        level: mpp / (slide_mpp * downsample)
        for level, downsample in enumerate(downsamples)
        if slide_mpp * downsample < mpp
    }
    clean = [level for level, pitch in pitches.items() if aligned[level] and pitch <= MAX_PITCH]
    level = min(clean or pitches, key=pitches.__getitem__)
    return Source(level, pitches[level], mpp / slide_mpp)


class BlockReader:
    """Reads blocks of working pixels, with glass replaced by the background."""

    def __init__(self, slide: Slide, source: Source) -> None:
        self.slide = slide
        self.source = source
        level_size = slide.level_sizes[source.level]
        self.size = Size(
            max(int(np.ceil(level_size.width / source.pitch - 1e-6)), 1),
            max(int(np.ceil(level_size.height / source.pitch - 1e-6)), 1),
        )
        self.edge = max(2 ** int(np.log2(READ_EDGE / source.pitch)), 1)
        self.glass, self.glass_chunks = _find_glass(slide, source)
        self.background = WHITE if self.glass is None else round(sum(self.glass) / 3)

    def read_block(self, left: int, top: int, size: Size) -> NDArray[np.uint8] | None:
        """Return working pixels, (3, H, W), or None where all is glass.

        The corner must lie on a chunk.
        """
        block: NDArray[np.uint8] | None = None
        for row, column in product(
            range(0, size.height, self.edge), range(0, size.width, self.edge)
        ):
            extent = Size(min(self.edge, size.width - column), min(self.edge, size.height - row))
            if self._known_glass(left + column, top + row, extent):
                continue
            if block is None:
                block = np.full((3, size.height, size.width), self.background, np.uint8)
            block[:, row : row + extent.height, column : column + extent.width] = self._read_piece(
                left + column, top + row, extent
            )
        if block is not None and self.glass is not None:
            _flatten_glass(block, self.glass, self.background)
        return block

    def _known_glass(self, left: int, top: int, size: Size) -> bool:
        """Whether the coarse level showed glass in all chunks of a rectangle."""
        if self.glass_chunks is None:
            return False
        rows = slice(top // CHUNK, -(-(top + size.height) // CHUNK))
        columns = slice(left // CHUNK, -(-(left + size.width) // CHUNK))
        return bool(self.glass_chunks[rows, columns].all())

    def _read_piece(self, left: int, top: int, size: Size) -> NDArray[np.uint8]:
        level, pitch = self.source.level, self.source.pitch
        extent = self.slide.level_sizes[level]
        x, y = left * pitch, top * pitch
        x0, y0 = int(x), int(y)
        x1 = min(int(np.ceil(x + size.width * pitch)), extent.width)
        y1 = min(int(np.ceil(y + size.height * pitch)), extent.height)
        pixels = self.slide.read_region(level, x0, y0, Size(x1 - x0, y1 - y0))
        planes = pixels.transpose(2, 0, 1)
        if pitch == 1:
            return planes
        if pitch == 2:
            return halve(np.ascontiguousarray(planes))
        from lds_path.pixels.area_mean import area_mean  # numba takes half a second to import

        return area_mean(pixels, size, pitch=pitch, left=x - x0, top=y - y0)


def _to_json(number: float | None) -> float | str | None:
    """Return a number as JSON can hold it."""
    return number if number is None or math.isfinite(number) else str(number)


def _write(slide: Slide, folder: Path, mpp: float, threads: int) -> dict[str, Any]:
    source = choose_source(slide.mpp, slide.level_downsamples, slide.level_aligned, mpp)
    frame = Frame(
        mpp=slide.mpp * source.downsample,
        downsample=source.downsample,
        left_l0=slide.left_l0,
        top_l0=slide.top_l0,
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
    return {
        "width": reader.size.width,
        "height": reader.size.height,
        "mpp": frame.mpp,
        "downsample": frame.downsample,
        "left_l0": slide.left_l0,
        "top_l0": slide.top_l0,
        "width_l0": slide.size.width,
        "height_l0": slide.size.height,
        "slide_mpp": slide.mpp,
        "mpp_source": slide.mpp_source,
        "vendor": slide.vendor,
        "file": slide.path.name,
        "format": slide.format,
        "levels": levels,
        "slide_level": source.level,
        "unreadable_tiles": slide.unreadable_tiles,
        "background": reader.background,
        "icc": slide.icc_profile,
        "objective_power": slide.objective_power,
    }


def _find_glass(slide: Slide, source: Source) -> tuple[Color | None, NDArray[np.bool_] | None]:
    """Return the colour of the glass and, if a coarse level shows it, the chunks of glass."""
    coarse = None
    for level, downsample in enumerate(slide.level_downsamples):
        size = slide.level_sizes[level]
        fewest, most = (bound * source.downsample for bound in COARSE_DOWNSAMPLES)
        if fewest <= downsample <= most and size.width * size.height <= COARSE_PIXELS:
            coarse = level
    if coarse is None:
        return glass_color(_sample(slide)), None
    view = slide.read_region(coarse, 0, 0, slide.level_sizes[coarse])
    color = glass_color(view)
    if color is None:
        return None, None
    cell = CHUNK * source.downsample / slide.level_downsamples[coarse]
    return color, glass_cells(view, color, cell)


def _sample(slide: Slide) -> NDArray[np.uint8]:
    """Return small windows spread over the slide's coarsest level, one after another."""
    level = slide.level_count - 1
    size = slide.level_sizes[level]
    window = Size(min(SAMPLE_EDGE, size.width), min(SAMPLE_EDGE, size.height))
    tops = np.linspace(0, size.height - window.height, SAMPLES).astype(int)
    lefts = np.linspace(0, size.width - window.width, SAMPLES).astype(int)
    windows = [
        slide.read_region(level, int(left), int(top), window) for top, left in product(tops, lefts)
    ]
    return np.stack(windows)


def _flatten_glass(block: NDArray[np.uint8], color: Color, background: int) -> None:
    """Give every chunk of a block that shows only glass the background, in place."""
    _, height, width = block.shape
    for top, left in product(range(0, height, CHUNK), range(0, width, CHUNK)):
        chunk = block[:, top : top + CHUNK, left : left + CHUNK]
        if is_glass(chunk, color):
            chunk[:] = background
