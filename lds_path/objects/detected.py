"""The tissue and the regions of a slide as objects, to see in QuPath what was analysed.

Both have QuPath's class `Region*`, which it draws as an outline and never trains on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import shapely

from lds_path.classes import OUTLINE_CLASS
from lds_path.formats.mask import read_mask
from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.formats.results import DetectResults
from lds_path.geometry import Size
from lds_path.objects.geojson import SlideObject, write_geojson
from lds_path.objects.pieces import trace_labels
from lds_path.objects.polygons import place_on_grid

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lds_path.geometry import Frame, Region
    from lds_path.provenance.stage_folder import StageFolder

COLOR = (0, 0, 180)
TOLERANCE = 0.5
"""Mask pixels that the outline of the tissue may lie from the edge of the mask."""


def write_outlines(
    folder: Path, detect: StageFolder, slide: str, frame: Frame, offset: tuple[float, float]
) -> tuple[int, int]:
    """Write `<slide>.tissue.geojson` and `<slide>.regions.geojson`; return how many are in each.

    Parameters
    ----------
    folder
        Folder to write into.
    detect
        Folder of the detect stage.
    slide
        Id of the slide.
    frame
        Scale of the working pixels.
    offset
        Level-0 pixels, added to every coordinate.
    """
    step = detect.read(DetectResults).mask_downsample
    um2 = (frame.mpp * step) ** 2
    mask = read_mask(detect)
    tissue = tissue_objects(mask, scale=frame.downsample * step, offset=offset, um2=um2)
    table = read_regions(detect.file(REGIONS_NAME))
    regions = region_objects(table, scale=frame.downsample, offset=offset)
    return (
        write_geojson(folder / f"{slide}.tissue.geojson", tissue, slide=slide),
        write_geojson(folder / f"{slide}.regions.geojson", regions, slide=slide),
    )


def tissue_objects(
    mask: NDArray[np.bool_], *, scale: float, offset: tuple[float, float], um2: float
) -> Iterator[SlideObject]:
    """Yield the pieces of tissue, with their holes.

    Parameters
    ----------
    mask
        (H, W), from the bounds corner.
    scale
        Level-0 pixels per mask pixel.
    offset
        Level-0 pixels, added to every coordinate.
    um2
        Square microns of a mask pixel.
    """
    values = mask.astype("uint8")
    size = Size(mask.shape[1], mask.shape[0])

    def read_strip(top: int, strip: Size) -> NDArray[np.uint8]:
        return values[top : top + strip.height]

    pieces = trace_labels(read_strip, size, tolerance=TOLERANCE)
    for number, piece in enumerate(pieces, start=1):
        geometry = place_on_grid(piece.rings, scale=scale, offset=offset)
        if geometry is not None:
            measurements = {"Area um2": round(piece.area * um2, 3)}
            name = f"Tissue {number}"
            yield SlideObject(geometry, OUTLINE_CLASS, COLOR, "annotation", measurements, name)


def region_objects(
    regions: Sequence[Region], *, scale: float, offset: tuple[float, float]
) -> Iterator[SlideObject]:
    """Yield the regions that were segmented; the last ones reach beyond the slide.

    Parameters
    ----------
    regions
        In working pixels.
    scale
        Level-0 pixels per working pixel.
    offset
        Level-0 pixels, added to every coordinate.
    """
    for region in regions:
        area = region.rectangle
        box = shapely.get_coordinates(shapely.box(area.left, area.top, area.right, area.bottom))
        geometry = place_on_grid([box], scale=scale, offset=offset)
        if geometry is not None:
            name = f"Region {region.index}"
            yield SlideObject(geometry, OUTLINE_CLASS, COLOR, "annotation", {}, name)
