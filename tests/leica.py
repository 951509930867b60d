"""A Leica SCN slide as OpenSlide reads it: a scanned part somewhere on a larger glass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tifffile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.geometry import Size

_MACRO = 16
"""Downsample of the picture of the whole glass."""
_IMAGE = """<image name="{name}" uuid="{name}"><creationDate>2026-01-01T00:00:00Z</creationDate>
<device model="painted" version="1"/><pixels sizeX="{width}" sizeY="{height}">
<dimension sizeX="{width}" sizeY="{height}" r="0" ifd="{ifd}"/></pixels>
<view sizeX="{width_nm}" sizeY="{height_nm}" offsetX="{left_nm}" offsetY="{top_nm}"/>
<scanSettings><objectiveSettings><objective>{objective}</objective></objectiveSettings>
<illuminationSettings><numericalAperture>0.4</numericalAperture>
<illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings></image>"""


def write_scn(
    path: Path, pixels: NDArray[np.uint8], *, left: int, top: int, glass: Size, mpp: float
) -> None:
    """Write pixels, (H, W, 3), as the part of a glass that was scanned."""
    height, width = pixels.shape[:2]
    nm = round(mpp * 1000)
    main = _IMAGE.format(
        name="main", width=width, height=height, ifd=1, objective=20, width_nm=width * nm,
        height_nm=height * nm, left_nm=left * nm, top_nm=top * nm,
    )  # fmt: skip
    macro = _IMAGE.format(
        name="macro", width=glass.width // _MACRO, height=glass.height // _MACRO, ifd=0,
        objective=1, width_nm=glass.width * nm, height_nm=glass.height * nm, left_nm=0, top_nm=0,
    )  # fmt: skip
    description = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01">'
        f'<collection name="c" uuid="u" sizeX="{glass.width * nm}" sizeY="{glass.height * nm}">'
        f"<barcode/>{macro}{main}</collection></scn>"
    )
    blank = np.full((glass.height // _MACRO, glass.width // _MACRO, 3), 240, np.uint8)
    with tifffile.TiffWriter(path) as writer:
        for page, own_mpp, text in ((blank, mpp * _MACRO, description), (pixels, mpp, None)):
            writer.write(
                page,
                tile=(256, 256),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 95},
                resolution=(1e4 / own_mpp, 1e4 / own_mpp),
                resolutionunit="CENTIMETER",
                description=text,
                metadata=None,
            )
