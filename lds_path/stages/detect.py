"""detect: where a slide has tissue, and the regions that cover it."""

from __future__ import annotations

from functools import partial
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np
import shapely
from PIL import Image

from lds_path.errors import LabelsError, UnsuitableSlideError, UsageError
from lds_path.formats.class_map import open_class_map
from lds_path.formats.mask import MASK_NAME
from lds_path.formats.overview import read_overview
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.regions import REGIONS_NAME, write_regions
from lds_path.formats.results import DetectResults, TileParameters, TileResults
from lds_path.formats.slide_pixels.origin import slide_input
from lds_path.geometry import Region, Size, ceil_div, tile_starts
from lds_path.objects.drawn_objects import read_objects
from lds_path.option import as_parameters
from lds_path.options.slides import DetectOptions
from lds_path.pixels.components import count_pieces
from lds_path.pixels.tissue import find_tissue, is_dark_field, tidy_tissue
from lds_path.provenance.stage_run import run_stage

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

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
    inputs |= {"roi": roi} if roi is not None and roi.is_file() else {}
    if options.method == "network":
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
        partial(_detect, roi=roi, options=options),
        inputs=inputs,
        parameters=as_parameters(options),
        strict=strict,
    )


def _detect(
    folder: Path, inputs: StageInputs, *, roi: Path | None, options: DetectOptions
) -> DetectResults:
    """Write the tissue mask and the region table."""
    tile = inputs["tile"].read(TileResults)
    _refuse_coarse(tile.file, tile.mpp, inputs["tile"].read(TileParameters).mpp)
    pyramid = open_pyramid(inputs["tile"].path)
    overview = read_overview(pyramid, options.tissue_mpp)
    _refuse_dark(tile.file, overview.pixels)
    bounds = {"min_tissue_um2": options.min_tissue_um2, "max_hole_um2": options.max_hole_um2}
    if options.method == "network":
        found = open_class_map(inputs["screen"])
        downsample, mpp = round(found.results.map_downsample), found.results.map_mpp
        tissue = tidy_tissue(found.where(*FOUND_BY_SCREEN), mpp, **bounds)
    else:
        downsample, mpp, background = overview.downsample, overview.mpp, pyramid.background
        tissue = find_tissue(overview.pixels, mpp, **bounds, background=background)
    del overview
    empty_objects = 0
    if roi is not None:
        inside, empty_objects = _read_roi(roi, pyramid, downsample)
        tissue &= inside
    _refuse_empty(tile.file, tissue, mpp, options.min_tissue_um2, roi)
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
    )


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
            " fluorescence; expected stained tissue on bright glass; leave it out of the sheet"
        )


def _refuse_empty(
    file: str, tissue: NDArray[np.bool_], mpp: float, min_tissue_um2: float, roi: Path | None
) -> None:
    if not tissue.any():
        where = f" inside {roi}" if roi is not None else ""
        raise UnsuitableSlideError(
            f"{file} shows no tissue of {min_tissue_um2:g} um2 or more{where} at {mpp:.3g} um"
            " per pixel; if it has some, lower min_tissue_um2, otherwise leave the slide out"
        )


def _read_roi(path: Path, pyramid: Pyramid, downsample: int) -> tuple[NDArray[np.bool_], int]:
    """Return which mask pixels lie in a region of interest, (H, W), and its objects without area."""
    # rasterio takes 0.1 s to import: only for slides with a region of interest.
    from lds_path.reference.drawing import rasterise

    drawn = read_objects(path)
    area = shapely.union_all([polygon for _, polygon in drawn.polygons])
    extent, scale = pyramid.size, pyramid.frame.downsample
    slide = shapely.box(0, 0, extent.width * scale, extent.height * scale)
    if not area.intersects(slide):
        span, whole = (tuple(round(bound) for bound in shape.bounds) for shape in (area, slide))
        raise LabelsError(
            f"{path} lies outside the slide: its areas span {span} (left, top, right, bottom in"
            f" level-0 pixels from the bounds corner), the slide {whole}; draw it on this slide"
        )
    size = extent.ceil_div(downsample)
    inside = rasterise([(area, 1)], size, downsample=scale * downsample) > 0
    if not inside.any():
        raise LabelsError(
            f"{path} covers no pixel of the tissue mask, which has"
            f" {pyramid.frame.mpp * downsample:.3g} um per pixel; draw a larger area"
        )
    return inside, drawn.empty
