"""A slide and its analysis: what the earlier stages wrote of it, and what the slide looks like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lds_path.formats.grey_image import open_confidence
from lds_path.formats.labels.label_images import open_labels
from lds_path.formats.mask import open_mask
from lds_path.formats.predictions import PREDICTIONS_NAME, Predictions
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.results import DetectResults, SegmentResults, StitchResults, TileResults
from lds_path.pixels.artefacts import find_artefacts
from lds_path.pixels.focus import blur
from lds_path.pixels.row_strips import optical_density
from lds_path.pixels.stains import WINDOW_STEP, find_stains, staining, window_colours
from lds_path.pixels.white_reference import white_reference
from lds_path.quality.borders import read_border_share
from lds_path.quality.crops import choose_crops, read_crop
from lds_path.quality.picture_scale import (
    enlarge,
    fit_picture_scale,
    read_confidence,
    read_labels,
    read_picture,
    read_pitch,
    read_sample,
    read_windows,
)
from lds_path.quality.seams import read_seams

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from lds_path.classes import LabelClass
    from lds_path.formats.labels.label_images import Labels
    from lds_path.formats.mask import Mask
    from lds_path.formats.pyramid import Pyramid
    from lds_path.geometry import Region
    from lds_path.pixels.artefacts import Artefacts
    from lds_path.pixels.stains import Stains
    from lds_path.provenance.stage_folder import StageFolder
    from lds_path.quality.borders import BorderShare
    from lds_path.quality.crops import CropPicture
    from lds_path.quality.picture_scale import PictureScale, Pitch, Sample
    from lds_path.quality.seams import Seams

ARTEFACT_MPP = 8.0
ARTEFACT_PIXELS = 1024
"""Artefacts are looked for at 8 um per pixel, or with this many pixels along the longer side."""


@dataclass(frozen=True)
class Appearance:
    """What the slide looks like, from windows of full resolution and a coarse picture."""

    glass: tuple[float, float, float]
    """Red, green and blue of the empty glass."""
    blurs: Sequence[float]
    """Of each window of tissue, see `focus.blur`."""
    windows: Sequence[tuple[int, int]]
    """Working pixel (x, y) of each window's corner."""
    window_side: int
    """In working pixels."""
    stains: Stains | None
    staining: float | None
    colours: NDArray[np.float32]
    """Of each window with enough stain, see `window_colours`."""
    artefacts: Artefacts
    """On the pixels of the slide's picture."""


@dataclass(frozen=True)
class AnalysedSlide:
    """A slide and its analysis, on the pixels of one picture."""

    slide: str
    tile: TileResults
    detect: DetectResults
    segment: Sequence[SegmentResults]
    """Of each shard."""
    stitch: StitchResults
    scale: PictureScale
    picture: NDArray[np.uint8]
    tissue: NDArray[np.bool_]
    labels: NDArray[np.uint8]
    classes: Sequence[LabelClass]
    confidence: NDArray[np.float32]
    pitch: Pitch
    regions: Sequence[Region]
    sample: Sample
    appearance: Appearance
    seams: Seams
    borders: BorderShare
    crops: Sequence[CropPicture]
    unreadable_tiles: int
    """Tiles of the file that could not be read, by any stage."""


def read_analysed_slide(
    tile: StageFolder, detect: StageFolder, segment: Sequence[StageFolder], stitch: StageFolder
) -> AnalysedSlide:
    """Return a slide from the folders of its stages, those of `segment` for all shards.

    Only coarse levels and a bounded number of windows are read, so that time and memory hardly
    grow with the slide.
    """
    pyramid = open_pyramid(tile.path)
    mpp = pyramid.frame.mpp
    scale = fit_picture_scale(pyramid.size, mpp)
    mask = open_mask(detect)
    tissue = mask.read(0, 0, scale.size, scale=scale.downsample)
    predictions = Predictions([shard.path / PREDICTIONS_NAME for shard in segment])
    image = open_labels(stitch)
    with predictions, image:
        labels = read_labels(image, scale, mpp)
        confidence = _read_confidence(stitch, scale, image.mpp / mpp)
        pitch = read_pitch(predictions, scale, mpp)
        shares = [scale.tissue_share(tissue, region) for region in predictions.regions]
        seams = read_seams(predictions, image, mask, mpp, pyramid.size)
        crops = _read_crops(pyramid, image, scale, tissue, labels, confidence, seams)
        return AnalysedSlide(
            slide=tile.slide,
            tile=tile.read(TileResults),
            detect=detect.read(DetectResults),
            segment=[shard.read(SegmentResults) for shard in segment],
            stitch=stitch.read(StitchResults),
            scale=scale,
            picture=read_picture(pyramid, scale),
            tissue=tissue,
            labels=labels,
            classes=image.classes,
            confidence=confidence,
            pitch=pitch,
            regions=predictions.regions,
            sample=read_sample(pyramid, predictions, pitch.ranges_um, shares),
            appearance=_read_appearance(pyramid, mask, scale),
            seams=seams,
            borders=read_border_share(predictions, image, mpp),
            crops=crops,
            unreadable_tiles=_count_unreadable(tile, segment, pyramid),
        )


def _read_confidence(
    stitch: StageFolder, scale: PictureScale, working_per_label: float
) -> NDArray[np.float32]:
    """Return the confidence on the pixels of the picture, NaN where there is none."""
    stored = open_confidence(stitch)
    return read_confidence(stored.pixels, scale, stored.downsample * working_per_label)


def _count_unreadable(tile: StageFolder, segment: Sequence[StageFolder], pyramid: Pyramid) -> int:
    """Return how many tiles of the file no stage could read, also of those that were read just now."""
    tiled = tile.read(TileResults)
    found = {*tiled.unreadable, *pyramid.finer.unreadable}
    found |= {item for shard in segment for item in shard.read(SegmentResults).unreadable}
    return max(len(found), tiled.unreadable_tiles)


def _read_appearance(pyramid: Pyramid, mask: Mask, scale: PictureScale) -> Appearance:
    extent_um = max(pyramid.size.width, pyramid.size.height) * pyramid.frame.mpp
    longest = min(ARTEFACT_PIXELS, max(int(extent_um / ARTEFACT_MPP), 1))
    coarse = fit_picture_scale(pyramid.size, pyramid.frame.mpp, longest=longest)
    picture = read_picture(pyramid, coarse)
    glass = white_reference(picture, background=pyramid.background)
    artefacts = find_artefacts(
        picture,
        mask.read(0, 0, coarse.size, scale=coarse.downsample),
        coarse.mpp,
        glass=glass,
        background=pyramid.background,
    )
    windows = read_windows(pyramid, mask)
    pixels = windows.pictures[:, ::WINDOW_STEP, ::WINDOW_STEP].reshape(-1, 1, 3)
    density = optical_density(pixels, glass)[:, 0]
    red, green, blue = glass.tolist()
    return Appearance(
        glass=(red, green, blue),
        blurs=[blur(window) for window in windows.pictures],
        windows=windows.corners,
        window_side=windows.side,
        stains=find_stains(density),
        staining=staining(density),
        colours=window_colours(windows.pictures),
        artefacts=type(artefacts)(
            **{kind: enlarge(part, coarse, scale) for kind, part in artefacts.items()}
        ),
    )


def _read_crops(
    pyramid: Pyramid,
    image: Labels,
    scale: PictureScale,
    tissue: NDArray[np.bool_],
    labels: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    seams: Seams,
) -> list[CropPicture]:
    chosen = choose_crops(scale, tissue, labels, confidence, image.classes, seams.worst)
    return [read_crop(pyramid, image, crop) for crop in chosen]
