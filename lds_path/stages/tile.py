"""tile: a slide becomes a pyramid whose level 0 has the working microns per pixel."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from lds_path.errors import UsageError
from lds_path.formats.ome_zarr.quadtree import halved_sizes
from lds_path.formats.pyramid import CHUNK, PYRAMID_NAME
from lds_path.formats.pyramid_writer import write_pyramid
from lds_path.formats.results import TileResults
from lds_path.formats.slide_pixels.level_reader import LevelReader
from lds_path.formats.slide_pixels.source import choose_source
from lds_path.formats.texture import TEXTURE_NAME, write_texture
from lds_path.geometry import Frame
from lds_path.option import as_parameters
from lds_path.options.slides import ALL, APPLY, TileOptions
from lds_path.provenance.fingerprint import is_store, note_input
from lds_path.provenance.stage_run import run_stage
from lds_path.quality.block_reader import BlockReader
from lds_path.remote.address import RemotePath
from lds_path.slides.companions import find_slide_files
from lds_path.slides.probe import is_regular
from lds_path.slides.readers.colour_profile import profile_name
from lds_path.slides.slide import open_slide

if TYPE_CHECKING:
    from pathlib import Path

    from lds_path.provenance.fingerprint import InputFiles
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageInputs
    from lds_path.remote.address import SlidePath
    from lds_path.slides.slide import Slide

log = logging.getLogger(__name__)

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
    blocks = BlockReader(reader, finest, options.level_tolerance, threads=threads)
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
