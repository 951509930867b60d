"""Small VMS slides as OpenSlide reads them: images in one row, each a JPEG of restart intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_REDUCED = 16
"""The map has a pixel for so many of the slide."""


def write_vms(path: Path, pixels: NDArray[np.uint8], mpp: float) -> None:
    """Write the index and, beside it, `left.jpg`, `right.jpg`, `map.jpg` and `macro.jpg`.

    Parameters
    ----------
    pixels
        RGB, (H, W, 3); sides of 256 pixels or a multiple.
    mpp
        Microns per pixel.
    """
    height, width = pixels.shape[:2]
    image = Image.fromarray(pixels)
    small = image.resize((width // _REDUCED, height // _REDUCED), Image.Resampling.BOX)
    parts = {
        "left": image.crop((0, 0, width // 2, height)),
        "right": image.crop((width // 2, 0, width, height)),
        "map": small,
        "macro": small,
    }
    for name, part in parts.items():
        part.save(path.with_name(f"{name}.jpg"), quality=95, subsampling=0, restart_marker_blocks=8)
    path.write_text(
        "[Virtual Microscope Specimen]\nNoLayers=1\nNoJpegColumns=2\nNoJpegRows=1\n"
        "ImageFile=left.jpg\nImageFile(1,0)=right.jpg\nMapFile=map.jpg\nMacroImage=macro.jpg\n"
        f"PhysicalWidth={round(width * mpp * 1000)}\nPhysicalHeight={round(height * mpp * 1000)}\n"
        "SourceLens=20\n"
    )
