"""tile: a slide becomes a pyramid whose level 0 has the working microns per pixel."""

from __future__ import annotations

import logging
import math
from copy import copy
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from lds_path.errors import UsageError
from lds_path.formats.ome_zarr.quadtree import halved_sizes
from lds_path.formats.pyramid import CHUNK, PYRAMID_NAME
from lds_path.formats.pyramid_writer import write_pyramid
from lds_path.formats.results import TileResults
from lds_path.formats.slide_pixels.level_reader import LevelReader
from lds_path.formats.slide_pixels.source import choose_source
from lds_path.formats.texture import TEXTURE_NAME, write_texture
from lds_path.geometry import Frame, Rectangle, Size
from lds_path.option import as_parameters
from lds_path.options.slides import ALL, APPLY, TileOptions
from lds_path.pixels.glass import CELL, is_glass
from lds_path.provenance.fingerprint import is_store, note_input
from lds_path.provenance.stage_run import run_stage
from lds_path.quality.known_glass import find_glass
from lds_path.quality.scanner_level import TOLERANCE, find_scanner_level
from lds_path.remote.address import RemotePath
from lds_path.slides.companions import find_slide_files
from lds_path.slides.probe import is_regular
from lds_path.slides.readers.colour_profile import profile_name
from lds_path.slides.slide import open_slide

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.pixels.glass import Color
    from lds_path.provenance.fingerprint import InputFiles
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageInputs
    from lds_path.remote.address import SlidePath
    from lds_path.slides.slide import Slide

log = logging.getLogger(__name__)

WHITE = 255
SCANNED_EDGE = 1024
"""A level that the scanner wrote is read in squares of this edge."""
SMALL_PIXELS = 2**24
"""Up to this many working pixels all levels are stored: reading the slide again would take longer."""
COARSER = 1.5
"""A slide whose pixels are larger than asked for by more than this factor is stored whole, too."""


def tile(
    slide: SlidePath,
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
        Slide or plain image; of OME-Zarr the folder; address of a slide on a server.
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
    RemoteError
        If the slide lies on a server that cannot be reached or refuses.
    """
    if threads < 1:
        raise UsageError(f"threads is {threads}; expected at least 1")

    files = note_input(slide, find_slide_files(slide))

    def work(folder: Path, _: StageInputs) -> TileResults:
        with open_slide(
            slide,
            mpp=options.slide_mpp,
            scene=options.scene,
            max_unreadable_percent=options.max_unreadable_percent,
            to_srgb=options.icc == APPLY,
        ) as opened:
            return _write(opened, folder, options, files, threads)

    return run_stage(
        "tile",
        output,
        work,
        inputs={"slide": files} if _is_there(files) else {},
        parameters=as_parameters(options) | {"slide_mpp": _to_json(options.slide_mpp)},
        strict=strict,
    )


def _is_there(slide: InputFiles) -> bool:
    """Return whether there is a slide of which the bytes can be known."""
    if isinstance(slide.path, RemotePath):
        return slide.exists
    return is_regular(slide.path) or is_store(slide.path)


class BlockReader:
    """Reads blocks of the finest level that is stored, with glass replaced by the background."""

    def __init__(self, reader: LevelReader, finest: int, tolerance: float = TOLERANCE) -> None:
        slide, source = reader.slide, reader.source
        self.reader, self.tolerance = reader, tolerance
        self.glass, self.glass_chunks = find_glass(slide, source.level, source.downsample)
        self.background = WHITE if self.glass is None else round(sum(self.glass) / 3)
        self._choose_level(finest)

    def _choose_level(self, level: int) -> None:
        self.finest = level
        self.chunk = CHUNK >> level
        self.scanned = None
        if level:
            self.scanned = find_scanner_level(self.reader, level, self.glass_chunks, self.tolerance)
        self.edge = self.reader.edge(level)
        if self.scanned is not None:
            self.edge = max(SCANNED_EDGE, self.edge)

    def at_level(self, level: int) -> BlockReader:
        """Return a reader of another level."""
        other = copy(self)
        other._choose_level(level)
        return other

    def read_block(self, left: int, top: int, size: Size) -> NDArray[np.uint8] | None:
        """Return pixels of the level, (3, H, W), or None if all are glass.

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
            self._flatten_glass(block, self.glass)
        return block

    def _known_glass(self, piece: Rectangle) -> bool:
        """Whether coarse levels show glass in all chunks of a piece."""
        if self.glass_chunks is None:
            return False
        return bool(self.glass_chunks[piece.reduced(self.chunk).slices].all())

    def _read_piece(self, piece: Rectangle) -> NDArray[np.uint8]:
        """Return a piece of the scanner's level, where it shows the slide; else it is computed."""
        planes = None if self.scanned is None else self.scanned.read(piece)
        if self.scanned is None or planes is None:
            return self.reader.read(self.finest, piece)
        wrong = self.scanned.wrong_chunks(planes, piece, self.chunk)
        computed: NDArray[np.uint8] | None = None
        for row, column in np.ndindex(wrong.shape):
            corner = Rectangle(column * self.chunk, row * self.chunk, Size(self.chunk, self.chunk))
            place = corner.clipped(piece.size)
            chunk = place.seen_from(-piece.left, -piece.top)
            if wrong[row, column] or self._is_new_glass(planes[:, *place.slices], chunk):
                computed = planes.copy() if computed is None else computed
                computed[:, *place.slices] = self.reader.read(self.finest, chunk)
        return planes if computed is None else computed

    def _is_new_glass(self, planes: NDArray[np.uint8], chunk: Rectangle) -> bool:
        """Whether only the scanner's level shows nothing in a chunk, perhaps because it was lost."""
        if self.glass is None:
            return bool((planes == WHITE).all())
        return not self._known_glass(chunk) and is_glass(planes, self.glass, cell=self._cell)

    @property
    def _cell(self) -> int:
        return max(CELL >> self.finest, 1)

    def _flatten_glass(self, block: NDArray[np.uint8], color: Color) -> None:
        """Fill every chunk of a block that shows only glass with the background, in place."""
        _, height, width = block.shape
        edge = self.chunk
        for top, left in product(range(0, height, edge), range(0, width, edge)):
            chunk = block[:, top : top + edge, left : left + edge]
            if is_glass(chunk, color, cell=self._cell):
                chunk[:] = self.background


def _to_json(number: float | None) -> float | str | None:
    """Return a number, as text if JSON cannot hold it."""
    return number if number is None or math.isfinite(number) else str(number)


def _write(
    slide: Slide, folder: Path, options: TileOptions, files: InputFiles, threads: int
) -> TileResults:
    source = choose_source(slide.mpp, slide.levels, options.mpp)
    frame = Frame(
        mpp=slide.mpp * source.downsample,
        downsample=source.downsample,
        left_l0=slide.bounds_l0.left,
        top_l0=slide.bounds_l0.top,
    )
    _warn_of_other_images(slide)
    reader = LevelReader(slide, source)
    finest = _finest_stored(reader, frame.mpp, options)
    blocks = BlockReader(reader, finest, options.level_tolerance)
    levels = write_pyramid(
        folder / PYRAMID_NAME,
        blocks.read_block,
        reader.size,
        frame,
        background=blocks.background,
        finest=finest,
        threads=threads,
        name=slide.path.stem,
    )
    texture_level = options.texture_level
    if texture_level is not None and texture_level >= finest:
        texture_level = None  # of what is stored it is measured when it is needed
    if texture_level is not None:
        write_texture(
            folder / TEXTURE_NAME,
            blocks.at_level(texture_level).read_block,
            halved_sizes(reader.size, CHUNK)[texture_level],
            background=blocks.background,
            threads=threads,
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
        scene=options.scene,
        image_number=slide.description.image_number,
        levels=levels,
        slide_level=source.level,
        unreadable_tiles=slide.unreadable_tiles,
        background=blocks.background,
        icc=bool(slide.description.icc_profile),
        icc_name=profile_name(slide.description.icc_profile),
        icc_applied=slide.is_converted,
        objective_power=slide.description.objective_power,
        painted=slide.description.painted,
        other_images=slide.description.other_images,
        finest_level=finest,
        texture_level=texture_level,
        stored_from=None if blocks.scanned is None else blocks.scanned.source.level,
        level_filter=() if blocks.scanned is None else blocks.scanned.filter_weights,
        identities=tuple(tuple(item or ()) for item in files.identities) if finest else (),
        unreadable=slide.unreadable_pieces if finest else (),
    )


def _warn_of_other_images(slide: Slide) -> None:
    if slide.description.other_images:
        log.warning(
            "%s holds other images, which are not analysed: %s",
            slide.path.name,
            "; ".join(slide.description.other_images),
        )


def _finest_stored(reader: LevelReader, mpp: float, options: TileOptions) -> int:
    """Return the finest level that is stored: the one that is asked for, unless all are."""
    levels = reader.slide.levels
    is_in_memory = len(levels) == 1 and levels[0].tile is None
    if options.levels == ALL or is_in_memory or reader.size.area <= SMALL_PIXELS:
        return 0
    if mpp > COARSER * options.mpp:
        return 0
    return min(options.finest_level, len(halved_sizes(reader.size, CHUNK)) - 1)
