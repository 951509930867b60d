"""A quantity of a slide as a grey image, in the frame of its label image.

Its confidence is always written, as a coarse PNG; others are OME-TIFFs with levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import tifffile
from PIL import Image

from lds_path.errors import named_damage
from lds_path.formats.labels.label_images import level_tags
from lds_path.formats.labels.label_tiles import TILE
from lds_path.formats.ome_xml import write_grey_ome_xml
from lds_path.formats.results import StitchResults
from lds_path.geometry import Size
from lds_path.provenance.complete_file import complete_file

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.provenance.stage_folder import StageFolder

CONFIDENCE_NAME = "confidence.png"
_ROWS = 512


@dataclass(frozen=True)
class Confidence:
    """A coarse image of the probability of the predicted class."""

    pixels: NDArray[np.uint8]
    """(H, W); 255 is 1, and 0 where nothing was analysed."""
    downsample: int
    """Label pixels per pixel."""


def open_confidence(stitch: StageFolder) -> Confidence:
    """Return the confidence in the folder of the stitch stage.

    Raises
    ------
    StageInputError
        If the image is missing or damaged, or the manifest lacks its scale.
    """
    path = stitch.file(CONFIDENCE_NAME)
    downsample = stitch.read(StitchResults).confidence_downsample
    with named_damage(path, "stitch"), Image.open(path) as image:
        return Confidence(_read_grey(image), downsample)


def _read_grey(image: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels of an image, (H, W), with one copy of them less in memory than `asarray`."""
    pixels = np.empty((image.height, image.width), np.uint8)
    for top in range(0, image.height, _ROWS):
        bottom = min(top + _ROWS, image.height)
        pixels[top:bottom] = np.asarray(image.crop((0, top, image.width, bottom)))
    return pixels


def write_grey(
    path: Path, pixels: NDArray[np.uint8], *, mpp: float, channel: str, meaning: str
) -> None:
    """Write an image of a quantity; the file is either complete or absent.

    Level k is half as wide as the one before, rounded up, until one tile is left.

    Parameters
    ----------
    path
        File to write, `*.ome.tif`.
    pixels
        (H, W), 0 where nothing is known.
    mpp
        Microns per pixel.
    channel
        Name of the quantity.
    meaning
        Meaning of the values, for people who open the file.
    """
    levels = [pixels]
    while max(levels[-1].shape) > TILE:
        levels.append(halve_known(levels[-1]))
    size = Size(pixels.shape[1], pixels.shape[0])
    description = write_grey_ome_xml(path.name.partition(".")[0], size, mpp, channel, meaning)
    with complete_file(path) as partial, tifffile.TiffWriter(partial, byteorder="<") as writer:
        for number, level in enumerate(levels):
            writer.write(level, **level_tags(number, len(levels), mpp, description))


def halve_known(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the mean of the known pixels, those above 0, of each 2 x 2; 0 where none is known."""
    height, width = pixels.shape
    padded = np.pad(pixels, ((0, height % 2), (0, width % 2))).astype(np.uint32)
    quadruples = np.stack([padded[y::2, x::2] for y in (0, 1) for x in (0, 1)])
    known = np.count_nonzero(quadruples, axis=0)
    means: NDArray[np.uint8] = np.rint(quadruples.sum(axis=0) / np.maximum(known, 1)).astype(
        np.uint8
    )
    return means
