"""One slide at the scale of a picture: tissue, labels and predictions on the same pixels.

Convention: picture pixel (i, j) has its centre at working pixel ((i + 0.5) * downsample,
(j + 0.5) * downsample); whatever has another resolution is read at that point.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from PIL import Image
from tqdm import tqdm

from lds_path.geometry import Size
from lds_path.pixels.stains import WINDOW_MPP, WINDOW_SIDE
from lds_path.quality.metrics.metric import well_inside
from lds_path.quality.sample_density import MIN_PITCH_UM, add_region, pitch_mesh
from lds_path.unwarp.blend import Blend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lds_path.formats.labels.label_images import Labels
    from lds_path.formats.mask import Mask
    from lds_path.formats.predictions import Predictions
    from lds_path.formats.pyramid import Pyramid
    from lds_path.geometry import Region

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in the pixels of a picture, as Pillow draws it."""

WINDOW_COUNT = 64
WINDOW_CELLS = 16
"""Tissue is looked up at this many points along a window's side."""
SAMPLE_PIXELS = 1024

_Pixel = TypeVar("_Pixel", np.uint8, np.bool_)
_TOLERANCE = 1e-6


@dataclass(frozen=True)
class PictureScale:
    """How a picture shows a whole slide."""

    size: Size
    downsample: float
    """Working pixels per picture pixel, >= 1."""
    mpp: float
    """Microns per picture pixel."""

    def centres(self) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
        """Return the working columns and rows of the pixel centres."""
        columns = (np.arange(self.size.width) + 0.5) * self.downsample
        rows = (np.arange(self.size.height) + 0.5) * self.downsample
        return columns, rows

    def tissue_share(self, tissue: NDArray[np.bool_], region: Region) -> float:
        """Return the share of a region, within the slide, that is tissue."""
        left, top, right, bottom = (int(side) for side in self.box(region))
        return float(tissue[top : bottom + 1, left : right + 1].mean())

    def box(self, region: Region) -> Box:
        """Return a region's left, top, right and bottom in picture pixels, within the picture."""
        rectangle = region.rectangle
        return (
            rectangle.left / self.downsample,
            rectangle.top / self.downsample,
            min(rectangle.right / self.downsample, self.size.width) - 1,
            min(rectangle.bottom / self.downsample, self.size.height) - 1,
        )


@dataclass(frozen=True)
class Pitch:
    """Distance between neighbouring samples, in microns."""

    um: NDArray[np.float32]
    """At each picture pixel, (H, W), geometric mean over overlapping regions; NaN outside them."""
    ranges_um: tuple[tuple[float, float], ...]
    """Smallest and largest of each region, in the order of the regions."""


@dataclass(frozen=True)
class Sample:
    """The region whose sampling grid shows best what the sampler does."""

    index: int
    """Its index in the list of regions."""
    picture: NDArray[np.uint8]
    positions: NDArray[np.float32]
    """Sampling grid, (h, w, 2), (x, y) in [-1, 1]."""
    mpp: float
    """Microns per pixel of its picture."""


@dataclass(frozen=True)
class Windows:
    """Pieces of tissue at full resolution."""

    pictures: NDArray[np.uint8]
    """(N, H, W, 3)."""
    corners: tuple[tuple[int, int], ...]
    """Working pixel (x, y) of each."""
    side: int
    """In working pixels."""


def fit_picture_scale(size: Size, mpp: float, *, longest: int = 1600) -> PictureScale:
    """Return the scale at which the longer side of a slide has at most `longest` pixels.

    Parameters
    ----------
    size
        Of the slide, working pixels.
    mpp
        Microns per working pixel.
    """
    downsample = max(max(size.width, size.height) / longest, 1.0)
    width, height = (
        max(int(side / downsample + _TOLERANCE), 1) for side in (size.width, size.height)
    )
    return PictureScale(Size(width, height), downsample, mpp * downsample)


def read_picture(pyramid: Pyramid, scale: PictureScale) -> NDArray[np.uint8]:
    """Return the slide's colours at a scale, area-averaged, (H, W, 3)."""
    level = _finest_level(scale.downsample, pyramid.level_count)
    image = Image.fromarray(pyramid.read(level, 0, 0, pyramid.level_size(level)))
    right, bottom = (
        side * scale.downsample / 2**level for side in (scale.size.width, scale.size.height)
    )
    box = (0, 0, min(right, image.width), min(bottom, image.height))
    return np.asarray(
        image.resize((scale.size.width, scale.size.height), Image.Resampling.BOX, box)
    )


def read_labels(labels: Labels, scale: PictureScale, mpp: float) -> NDArray[np.uint8]:
    """Return the labels at the pixel centres of a picture, (H, W).

    Parameters
    ----------
    labels
        Label image of the slide, from the same corner.
    scale
        Of the picture.
    mpp
        Microns per working pixel.
    """
    level = _finest_level(scale.mpp / labels.mpp, labels.level_count)
    working_per_label = labels.mpp * 2**level / mpp
    return _at_centres(labels.read(level, 0, 0, labels.level_size(level)), scale, working_per_label)


def read_confidence(
    pixels: NDArray[np.uint8], scale: PictureScale, downsample: float
) -> NDArray[np.float32]:
    """Return the confidence at the pixel centres of a picture, (H, W); NaN where there is none.

    Parameters
    ----------
    pixels
        Confidence image of stitch: 255 is 1, 0 is not analysed.
    scale
        Of the picture.
    downsample
        Working pixels per pixel of the image.
    """
    stored = _at_centres(pixels, scale, downsample)
    return np.where(stored == 0, np.float32(np.nan), stored / np.float32(255))


def read_pitch(predictions: Predictions, scale: PictureScale, mpp: float) -> Pitch:
    """Return the sampling pitch of all regions at the scale of a picture.

    Of a lattice that is much finer than the picture, every n-th sample stands for its neighbours.
    """
    blend, ranges = Blend(scale.size, 1), []
    for region in tqdm(predictions.regions, desc="assess", unit="region", disable=None):
        mesh, pitch = pitch_mesh(predictions, region, scale=scale.downsample, mpp=mpp)
        ranges.append((float(pitch.min()), float(pitch.max())))
        add_region(blend, region, mesh, above=0, scale=scale.downsample)
    mean = np.where(blend.total > 0, blend.mean[..., 0], np.float32(np.nan))
    return Pitch(np.exp2(mean), tuple(ranges))


def read_sample(
    pyramid: Pyramid,
    predictions: Predictions,
    pitch_ranges_um: Sequence[tuple[float, float]],
    tissue_shares: Sequence[float],
) -> Sample:
    """Return a region full of tissue and with a wide range of pitches, about 1000 pixels wide.

    Parameters
    ----------
    pyramid
        Where to read.
    predictions
        Of the same slide.
    pitch_ranges_um
        Smallest and largest distance between samples, one pair a region.
    tissue_shares
        Share of each region that is tissue.
    """
    scores = [
        (math.log2(high / max(low, MIN_PITCH_UM)) + 0.1) * share
        for (low, high), share in zip(pitch_ranges_um, tissue_shares, strict=True)
    ]
    index = int(np.argmax(scores))
    region = predictions.regions[index]
    level = _finest_level(region.size.width / SAMPLE_PIXELS, pyramid.level_count)
    left, top, width, height = (
        length // 2**level
        for length in (region.left, region.top, region.size.width, region.size.height)
    )
    return Sample(
        index=index,
        picture=pyramid.read(level, left, top, Size(width, height)),
        positions=predictions.read(region.index).positions,
        mpp=pyramid.frame.mpp * 2**level,
    )


def read_windows(pyramid: Pyramid, mask: Mask) -> Windows:
    """Return windows of 256 pixels of about 0.5 um that lie in tissue, evenly spread."""
    level = pyramid.level_near(WINDOW_MPP)
    scale = WINDOW_SIDE * 2**level / WINDOW_CELLS
    size = Size(max(int(pyramid.size.width / scale), 1), max(int(pyramid.size.height / scale), 1))
    tissue = mask.read(0, 0, size, scale=scale)
    step = WINDOW_SIDE // WINDOW_CELLS
    level_corners = [
        (x * step, y * step) for x, y in well_inside(tissue, WINDOW_CELLS, WINDOW_COUNT)
    ]
    pictures = np.empty((len(level_corners), WINDOW_SIDE, WINDOW_SIDE, 3), np.uint8)
    for picture, (x, y) in zip(pictures, level_corners, strict=True):
        picture[:] = pyramid.read(level, x, y, Size(WINDOW_SIDE, WINDOW_SIDE))
    corners = tuple((x * 2**level, y * 2**level) for x, y in level_corners)
    return Windows(pictures, corners, WINDOW_SIDE * 2**level)


def enlarge(mask: NDArray[np.bool_], coarse: PictureScale, fine: PictureScale) -> NDArray[np.bool_]:
    """Return a mask on the pixels of a finer picture of the same slide."""
    return _at_centres(mask, fine, coarse.downsample)


def _finest_level(downsample: float, level_count: int) -> int:
    """Return the coarsest level that is not coarser than a downsample."""
    level = math.floor(math.log2(max(downsample, 1.0)) + _TOLERANCE)
    return min(level, level_count - 1)


def _at_centres(pixels: NDArray[_Pixel], scale: PictureScale, downsample: float) -> NDArray[_Pixel]:
    """Return an image's pixels, `downsample` working pixels each, at a picture's centres."""
    columns, rows = (np.floor(centre / downsample).astype(int) for centre in scale.centres())
    columns = np.minimum(columns, pixels.shape[1] - 1)
    rows = np.minimum(rows, pixels.shape[0] - 1)
    chosen: NDArray[_Pixel] = pixels[rows[:, None], columns]
    return chosen
