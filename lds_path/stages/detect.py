"""detect: where a slide has tissue, and the regions that cover it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lds_path.errors import UnsuitableSlideError, UsageError
from lds_path.formats.class_map import open_class_map
from lds_path.formats.mask import MASK_NAME
from lds_path.formats.overview import read_overview
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.regions import REGIONS_NAME, write_regions
from lds_path.formats.results import DetectResults, TileParameters, TileResults
from lds_path.formats.slide_pixels.origin import slide_input
from lds_path.geometry import Region, Size, ceil_div, tile_starts
from lds_path.option import as_parameters
from lds_path.options.slides import DetectOptions
from lds_path.pixels.components import count_pieces
from lds_path.pixels.stain_names import kind_of
from lds_path.pixels.tissue import drop_unstained, find_tissue, is_dark_field, tidy_tissue
from lds_path.provenance.stage_run import run_stage

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.formats.overview import Overview
    from lds_path.formats.pyramid import Pyramid
    from lds_path.provenance.fingerprint import InputFiles
    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageInputs

FOUND_BY_SCREEN = ("Tissue", "Fold", "Out of focus")
"""Classes of the stage screen that are tissue."""
MAX_COARSENESS = 2.0
"""A slide more than this many times coarser than the working mpp shows too little."""


def detect(
    tile: Path,
    output: Path,
    *,
    roi: Path | None = None,
    tissue: Path | None = None,
    screened: Path | None = None,
    options: DetectOptions = DetectOptions(),
    strict: bool = False,
) -> Manifest:
    """Write the tissue mask and the region table of a slide.

    Parameters
    ----------
    tile
        Folder of the tile stage.
    output
        Folder to write.
    roi
        GeoJSON of the areas to analyse, in QuPath's frame; the whole slide when not given.
    tissue
        GeoJSON, or mask image, of where the tissue is, in place of the method.
    screened
        Folder of the screen stage, for the method `network`.
    options
        See `DetectOptions`.
    strict
        Fail instead of putting the slide in quarantine.

    Returns
    -------
    Manifest
        With the area of the tissue, the number of regions and the scale of the mask.

    Raises
    ------
    UsageError
        If the method is `network`, but no folder of the screen stage is given.
    """
    inputs: dict[str, Path | InputFiles] = {"tile": tile}
    drawn = {"roi": roi, "tissue": tissue}
    inputs |= {name: file for name, file in drawn.items() if file is not None and file.is_file()}
    if options.method == "network" and tissue is None:
        if screened is None:
            raise UsageError(
                "the method network takes the tissue from the stage screen; name its folder by"
                " --screened, or use the method classic"
            )
        inputs["screen"] = screened
    inputs |= slide_input(tile)
    return run_stage(
        "detect",
        output,
        partial(_detect, roi=roi, outline=tissue, options=options),
        inputs=inputs,
        parameters=as_parameters(options),
        strict=strict,
    )


def _detect(
    folder: Path,
    inputs: StageInputs,
    *,
    roi: Path | None,
    outline: Path | None,
    options: DetectOptions,
) -> DetectResults:
    """Write the tissue mask and the region table."""
    tile = inputs["tile"].read(TileResults)
    _refuse_coarse(tile.file, tile.mpp, inputs["tile"].read(TileParameters).mpp)
    pyramid = open_pyramid(inputs["tile"].path)
    overview = read_overview(pyramid, options.tissue_mpp)
    _refuse_dark(tile.file, overview.pixels)
    found = _find_tissue(overview, inputs, pyramid, outline, options)
    del overview
    empty_objects = found.empty_objects
    if roi is not None:
        # rasterio takes 0.1 s to import: only for slides with something drawn.
        from lds_path.reference.outlines import read_area

        inside, empty = read_area(roi, pyramid, found.downsample)
        found.tissue &= inside
        empty_objects += empty
    tissue, downsample, mpp = found.tissue, found.downsample, found.mpp
    _refuse_empty(tile.file, found, options.min_tissue_um2, roi)
    regions = lay_regions(
        tissue,
        pyramid.size,
        downsample,
        size=options.region_size,
        overlap=options.overlap,
        lattice=options.lattice,
    )
    shares = [tissue_share(tissue, region, downsample) for region in regions]
    write_regions(folder / REGIONS_NAME, regions, shares, pyramid.frame)
    Image.fromarray(np.where(tissue, np.uint8(255), np.uint8(0))).save(folder / MASK_NAME)
    return DetectResults(
        tissue_mm2=round(float(tissue.sum()) * (mpp / 1000) ** 2, 6),
        pieces=count_pieces(tissue),
        regions=len(regions),
        mask_level=pyramid.level_near(mpp),
        mask_downsample=float(downsample),
        mask_mpp=mpp,
        empty_objects=empty_objects,
        tissue_threshold=found.threshold,
    )


@dataclass
class _Found:
    """Where tissue is."""

    tissue: NDArray[np.bool_]
    """(H, W)."""
    downsample: int
    """Working pixels per pixel."""
    mpp: float
    empty_objects: int = 0
    """Outlines without area."""
    threshold: float | None = None
    """Staining above which a pixel is tissue, where rules looked for it."""


def _find_tissue(
    overview: Overview,
    inputs: StageInputs,
    pyramid: Pyramid,
    outline: Path | None,
    options: DetectOptions,
) -> _Found:
    """Return the tissue that someone outlined, or that the method finds."""
    bounds = {"min_tissue_um2": options.min_tissue_um2, "max_hole_um2": options.max_hole_um2}
    downsample, mpp = overview.downsample, overview.mpp
    if outline is not None:
        from lds_path.reference.outlines import read_area

        tissue, empty = read_area(outline, pyramid, downsample)
        return _Found(tissue, downsample, mpp, empty)
    if options.method == "whole":
        size = pyramid.size.ceil_div(downsample)
        return _Found(np.ones((size.height, size.width), np.bool_), downsample, mpp)
    classes = open_class_map(inputs["screen"]) if options.method == "network" else None
    if classes is not None and round(classes.results.map_downsample) != downsample:
        overview = read_overview(pyramid, classes.results.map_mpp)
    tissue, threshold = find_tissue(
        overview.pixels,
        overview.mpp,
        **bounds,
        background=pyramid.background,
        threshold=options.tissue_threshold,
        follows_stain=kind_of(options.stain) != "DAB",
    )
    if classes is not None:
        known = tidy_tissue(classes.where(*FOUND_BY_SCREEN), overview.mpp, **bounds)
        tissue = drop_unstained(known, tissue)
    return _Found(tissue, overview.downsample, overview.mpp, threshold=threshold)


def lay_regions(
    tissue: NDArray[np.bool_],
    extent: Size,
    downsample: int,
    *,
    size: int,
    overlap: int,
    lattice: int,
) -> list[Region]:
    """Return the regions that together cover all tissue, row by row.

    Regions lie on a fixed mesh. Each covers the tissue up to the middle of its overlaps, and
    is left out if there is none, so that tissue at a region's edge has a neighbour beyond.

    Parameters
    ----------
    tissue
        Mask, (H, W).
    extent
        Of the slide, in working pixels.
    downsample
        Working pixels per mask pixel.
    size, overlap
        Side of a region, and overlap of neighbours, in working pixels.
    lattice
        Samples per side of a region.
    """
    lefts, tops = (tile_starts(side, size, overlap) for side in (extent.width, extent.height))
    columns = _cells(lefts, overlap, extent.width, downsample)
    rows = _cells(tops, overlap, extent.height, downsample)
    corners = [
        (lefts[column], tops[row])
        for row, column in product(range(len(tops)), range(len(lefts)))
        if tissue[rows[row], columns[column]].any()
    ]
    square, samples = Size(size, size), Size(lattice, lattice)
    return [Region(index, left, top, square, samples) for index, (left, top) in enumerate(corners)]


def tissue_share(tissue: NDArray[np.bool_], region: Region, downsample: int) -> float:
    """Return the share of a region's area that is tissue, in [0, 1]."""
    area = tissue[region.rectangle.reduced(downsample).slices].sum() * downsample**2
    return min(float(area) / region.size.area, 1.0)


def _cells(starts: list[int], overlap: int, length: int, downsample: int) -> list[slice]:
    """Return the mask pixels, along one axis, that each region covers alone."""
    edges = [0, *(start + overlap // 2 for start in starts[1:]), length]
    spans = pairwise(edges)
    return [slice(start // downsample, ceil_div(end, downsample)) for start, end in spans]


def _refuse_coarse(file: str, mpp: float, working_mpp: float) -> None:
    if mpp > MAX_COARSENESS * working_mpp:
        raise UnsuitableSlideError(
            f"{file} has {mpp:.4g} um per pixel at its finest, expected at most"
            f" {MAX_COARSENESS * working_mpp:.4g}, twice the working mpp; scan it at a higher"
            " magnification, or raise tile/mpp and use a model trained at that mpp"
        )


def _refuse_dark(file: str, overview: NDArray[np.uint8]) -> None:
    if is_dark_field(overview):
        raise UnsuitableSlideError(
            f"{file} is light on dark (mean grey value {overview.mean():.0f} of 255), like"
            " fluorescence; expected stained tissue on bright glass; leave it out of the sheet:"
            " fluorescence would need its channels read and a model that learned from them"
        )


def _refuse_empty(file: str, found: _Found, min_tissue_um2: float, roi: Path | None) -> None:
    if found.tissue.any():
        return
    where = f" inside {roi}" if roi is not None else ""
    staining = remedy = ""
    if found.threshold is not None:
        staining = f" with a staining above {found.threshold:.2g}"
        remedy = (
            f"write a lower number, such as {found.threshold / 2:.2g}, into the column"
            " `tissue_threshold` of the sheet, or "
        )
    raise UnsuitableSlideError(
        f"{file} shows no tissue of {min_tissue_um2:g} um2 or more{where} at {found.mpp:.3g} um"
        f" per pixel{staining}; if it has some, {remedy}outline it in QuPath and name the exported"
        " GeoJSON in the column `tissue` of the sheet, or lower min_tissue_um2; otherwise leave the"
        " slide out"
    )
