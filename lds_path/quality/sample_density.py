"""How densely a slide was sampled, as a grey image in the frame of its label image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from lds_path.formats.predictions import decode_grid
from lds_path.geometry import Size
from lds_path.unwarp.blend import Blend, blend_ramp
from lds_path.unwarp.mesh import build_mesh
from lds_path.unwarp.pitch import sample_pitch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.formats.predictions import Predictions
    from lds_path.geometry import Region
    from lds_path.unwarp.mesh import Mesh

DENSITY_SCALE = (
    "Samples per mm2 of the slide are 2 ** ((value - 1) / 10): 10 more is twice as dense."
    " 0 lies in no region. Coarser levels have the geometric mean."
)
"""What the values of the image mean."""
STRIP_ROWS = 512
"""Rows that are made at once."""
MIN_PITCH_UM = 1e-3
RAMP_FRACTION = 1 / 8
_PER_DOUBLING = 10
_UM2_PER_MM2 = 1e6
_SAMPLES_PER_PIXEL = 2.0
"""Samples per pixel of a picture, along an axis, above which samples are left out."""


def read_density(
    predictions: Predictions, size: Size, *, scale: float, mpp: float
) -> NDArray[np.uint8]:
    """Return the density of samples at each pixel, (H, W), values as `DENSITY_SCALE` says.

    Where regions overlap it is the geometric mean. Besides the image itself, memory holds a strip.

    Parameters
    ----------
    predictions
        Of the slide.
    size
        Of the image, from the corner of the working pixels.
    scale
        Working pixels per pixel.
    mpp
        Microns per working pixel.
    """
    image = np.zeros((size.height, size.width), np.uint8)
    for top in range(0, size.height, STRIP_ROWS):
        strip = image[top : top + STRIP_ROWS]
        rows = Size(size.width, len(strip))
        strip[:] = read_density_strip(predictions, top, rows, scale=scale, mpp=mpp)
    return image


def read_density_strip(
    predictions: Predictions, top: int, size: Size, *, scale: float, mpp: float
) -> NDArray[np.uint8]:
    """Return some rows of `read_density`, from the row `top` on, as many as `size` is high."""
    blend = Blend(size, 1)
    above, below = top * scale, (top + size.height) * scale
    for region in predictions.regions:
        if region.top < below and region.rectangle.bottom > above:
            mesh, _ = pitch_mesh(predictions, region, scale=scale, mpp=mpp)
            add_region(blend, region, mesh, above=above, scale=scale)
    return encode_density(blend.mean[..., 0], blend.total > 0)


def encode_density(
    log2_pitch_um: NDArray[np.float32], known: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    """Return the values of the image for the logarithm of the distance between samples."""
    doublings = math.log2(_UM2_PER_MM2) - 2 * log2_pitch_um
    values = np.clip(np.rint(1 + _PER_DOUBLING * doublings), 1, 255)
    return np.where(known, values, 0).astype(np.uint8)


def decode_density(values: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the samples per mm2 of the values of the image; 0 where no region lies."""
    density = np.exp2((values.astype(np.float32) - 1) / _PER_DOUBLING)
    return np.where(values > 0, density, 0).astype(np.float32)


def pitch_mesh(
    predictions: Predictions, region: Region, *, scale: float, mpp: float
) -> tuple[Mesh, NDArray[np.floating]]:
    """Return a mesh of the logarithm, base 2, of the distance between samples, and that distance.

    In microns. Of a lattice that is much finer than the picture, every n-th sample stands for its
    neighbours.

    Parameters
    ----------
    predictions, region
        Of the slide.
    scale
        Working pixels per pixel of the picture.
    mpp
        Microns per working pixel.
    """
    width, height = region.size.width, region.size.height
    step = max(int(_SAMPLES_PER_PIXEL * region.lattice.width * scale / width), 1)
    grid = predictions.read_grid(region.index)
    positions = decode_grid(grid[step // 2 :: step, step // 2 :: step])
    pitch = sample_pitch(positions, width * mpp, height * mpp) / step
    scores = np.log2(np.maximum(pitch, MIN_PITCH_UM))[None]  # (1, h, w)
    return build_mesh(scores, positions, region.size), pitch


def add_region(blend: Blend, region: Region, mesh: Mesh, *, above: float, scale: float) -> None:
    """Add a region's map to a blend over the whole width of the slide.

    Parameters
    ----------
    blend, region, mesh
        The blend, and the region with its map that is added.
    above
        Working pixels above the blend.
    scale
        Working pixels per pixel of the blend.
    """
    height, width = blend.total.shape
    blend.add(
        mesh,
        blend_ramp(
            region.size.width,
            region.size.width * RAMP_FRACTION,
            width,
            start=-region.left,
            scale=scale,
        ),
        blend_ramp(
            region.size.height,
            region.size.height * RAMP_FRACTION,
            height,
            start=above - region.top,
            scale=scale,
        ),
        left=-region.left,
        top=above - region.top,
        scale=scale,
    )
