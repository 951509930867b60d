"""What a result holds, opened block by block: pyramid, labels, confidence, density, probabilities."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from lds_path.api.blocks import Opened
from lds_path.formats.grey_image import open_confidence
from lds_path.formats.labels.label_images import BLOCK, open_labels
from lds_path.formats.predictions import PREDICTIONS_NAME, Predictions
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.results import StitchResults
from lds_path.geometry import Rectangle, Size
from lds_path.quality.sample_density import decode_density, read_density_strip
from lds_path.stages.stitch import open_mosaic, read_classes
from lds_path.unwarp.canvas import Canvas

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.api.pinned import PinnedFolder
    from lds_path.unwarp.mosaic import Mosaic


@dataclass(frozen=True)
class PyramidSource:
    """The pyramid of the slide, (3, H, W)."""

    tile: PinnedFolder

    @property
    def token(self) -> str:
        """Hash of the content."""
        return make_token("pyramid", self.tile)

    def open(self) -> Opened:
        """Open the pyramid for reading."""
        return Opened(open_pyramid(self.tile.open().path).read_planes)


@dataclass(frozen=True)
class LabelSource:
    """The label image, (H, W)."""

    stitch: PinnedFolder

    @property
    def token(self) -> str:
        """Hash of the content."""
        return make_token("labels", self.stitch)

    def open(self) -> Opened:
        """Open the label image for reading."""
        labels = open_labels(self.stitch.open())

        def read(level: int, window: Rectangle) -> NDArray[np.uint8]:
            return labels.read(level, window.left, window.top, window.size)

        return Opened(read, labels.close)


@dataclass(frozen=True)
class ConfidenceSource:
    """The mean probability of the label, (H, W), 0 where nothing was analysed."""

    stitch: PinnedFolder

    @property
    def token(self) -> str:
        """Hash of the content."""
        return make_token("confidence", self.stitch)

    def open(self) -> Opened:
        """Read the image, which is small."""
        pixels = open_confidence(self.stitch.open()).pixels

        def read(level: int, window: Rectangle) -> NDArray[np.float32]:
            del level
            return pixels[window.slices].astype(np.float32) / np.float32(255)

        return Opened(read)


@dataclass(frozen=True)
class DensitySource:
    """Samples per mm2 of the slide, (H, W), 0 where no region lies; made from the sampling grids."""

    stitch: PinnedFolder
    segment: tuple[PinnedFolder, ...]

    @property
    def token(self) -> str:
        """Hash of the content."""
        return make_token("density", self.stitch, *self.segment)

    def open(self) -> Opened:
        """Open the predictions for reading."""
        stitched = self.stitch.open().read(StitchResults)
        predictions = _open_predictions(self.segment)
        width = stitched.size.ceil_div(stitched.confidence_downsample).width
        scale, mpp = stitched.scale * stitched.confidence_downsample, stitched.working_frame.mpp

        def read(level: int, window: Rectangle) -> NDArray[np.float32]:
            del level
            rows = Size(width, window.size.height)
            strip = read_density_strip(predictions, window.top, rows, scale=scale, mpp=mpp)
            return decode_density(strip[:, window.left : window.right])

        return Opened(read, predictions.close)


@dataclass(frozen=True)
class ProbabilitySource:
    """The probabilities of all classes, (C, H, W), unwarped and blended as stitch does it.

    0 for every class where the label is 0. Level k holds what stitch gives at 2**k times the mpp.
    """

    detect: PinnedFolder
    stitch: PinnedFolder
    segment: tuple[PinnedFolder, ...]

    @property
    def token(self) -> str:
        """Hash of the content."""
        return make_token("probabilities", self.stitch, self.detect, *self.segment)

    def open(self) -> Opened:
        """Open the predictions for reading."""
        stitched = self.stitch.open().read(StitchResults)
        detect = self.detect.open()
        classes = read_classes([shard.open() for shard in self.segment])
        predictions = _open_predictions(self.segment)

        @lru_cache
        def open_level(level: int) -> Mosaic:
            return open_mosaic(detect, predictions, level_canvas(stitched, level), classes)

        def read(level: int, window: Rectangle) -> NDArray[np.float32]:
            size = level_canvas(stitched, level).size
            return _read_scores(open_level(level), size, window, len(classes))

        return Opened(read, predictions.close)


def level_canvas(stitched: StitchResults, level: int) -> Canvas:
    """Return the pixels of a level of the label image as a label image of its own."""
    factor, frame = 2**level, stitched.frame
    frame = replace(frame, mpp=frame.mpp * factor, downsample=frame.downsample * factor)
    return Canvas(stitched.size.ceil_div(factor), frame, stitched.scale * factor)


def make_token(kind: str, *folders: PinnedFolder) -> str:
    """Return what names an image made from stages: the same content has the same name."""
    text = "\n".join([kind, *(folder.manifest_sha256 for folder in folders)])
    return f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _open_predictions(segment: tuple[PinnedFolder, ...]) -> Predictions:
    return Predictions([shard.open().path / PREDICTIONS_NAME for shard in segment])


def _read_scores(
    mosaic: Mosaic, size: Size, window: Rectangle, class_count: int
) -> NDArray[np.float32]:
    """Return the probabilities in a window of a level, (C, H, W).

    Whole blocks of stitch are computed, so that the sums are the same to the last bit.
    """
    found = np.empty((class_count, window.size.height, window.size.width), np.float32)
    for piece in window.pieces(BLOCK):
        left, top = (start // BLOCK * BLOCK for start in (piece.left, piece.top))
        block = Rectangle(left, top, Size(BLOCK, BLOCK)).clipped(size)
        scores = mosaic.scores(left, top, block.size)[piece.seen_from(left, top).slices]
        place = piece.seen_from(window.left, window.top)
        found[:, *place.slices] = scores.transpose(2, 0, 1) / np.float32(255)
    return found
