"""A quantity of a slide as a grey OME-TIFF with levels, in the frame of its label image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import tifffile

from lds_path import __version__
from lds_path.formats.ome_xml import write_grey_ome_xml
from lds_path.formats.tile_spool import TILE
from lds_path.geometry import Size

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def write_grey(path: Path, pixels: NDArray[np.uint8], *, mpp: float, channel: str) -> None:
    """Write an image of a quantity; the file is either complete or absent.

    Level k is half as wide as the one before, rounded up, until one tile is left.

    Parameters
    ----------
    path
        File to write, `*.ome.tif`.
    pixels
        (H, W); 255 is 1, and 0 where nothing is known.
    mpp
        Microns per pixel.
    channel
        Name of the quantity.
    """
    levels = [pixels]
    while max(levels[-1].shape) > TILE:
        levels.append(halve_known(levels[-1]))
    size = Size(pixels.shape[1], pixels.shape[0])
    description = write_grey_ome_xml(path.name.partition(".")[0], size, mpp, channel)
    partial = path.with_name(path.name + ".partial")
    with tifffile.TiffWriter(partial, byteorder="<") as writer:
        for number, level in enumerate(levels):
            pixels_per_cm = 1e4 / (mpp * 2**number)
            writer.write(
                level,
                tile=(TILE, TILE),
                photometric="minisblack",
                compression="zlib",
                resolution=(pixels_per_cm, pixels_per_cm),
                resolutionunit="CENTIMETER",
                software=f"lds-path {__version__}",
                subfiletype=int(number > 0),
                subifds=len(levels) - 1 if number == 0 else None,
                description=description if number == 0 else None,
                metadata=None,
            )
    partial.replace(path)


def halve_known(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mean of the known pixels, those above 0, of each 2 x 2; 0 where none is."""
    height, width = pixels.shape
    padded = np.pad(pixels, ((0, height % 2), (0, width % 2))).astype(np.uint32)
    four = np.stack([padded[y::2, x::2] for y in (0, 1) for x in (0, 1)])
    known = np.count_nonzero(four, axis=0)
    means: NDArray[np.uint8] = np.rint(four.sum(axis=0) / np.maximum(known, 1)).astype(np.uint8)
    return means
