"""The pictures of one slide: the results of its analysis, drawn over its tissue."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from lds_path.classes import LabelClass
from lds_path.pixels.artefacts import KINDS
from lds_path.provenance.cohort import SMALL, SMALL_SIZE
from lds_path.quality.metrics.metric import format_number
from lds_path.reporting import overlay, picture_footer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lds_path.quality.analysed_slide import AnalysedSlide
    from lds_path.quality.picture_scale import Box, Sample

CONFIDENCE_MAP, DENSITY_MAP = "viridis", "inferno"
GRID_LINES = 42
CROP_LETTERS = 22
ARTEFACT_COLORS = {
    "fold": LabelClass(1, "fold", (213, 94, 0)),
    "dark": LabelClass(2, "dark spot", (0, 0, 0)),
    "pen": LabelClass(3, "pen", (0, 158, 115)),
    "bubble": LabelClass(4, "bubble, cover-slip edge", (240, 228, 66)),
}
"""Okabe and Ito's colours."""
BLURRED = LabelClass(5, "frame: out of focus", (0, 90, 181))


def draw_pictures(slide: AnalysedSlide, max_blur: float) -> Iterator[tuple[str, Image.Image]]:
    """Yield the pictures of the slide and of one region with their names, `SMALL`, and two of each crop.

    A crop gives `crop-<number>` and, with its labels, `crop-<number>-overlay`. One picture is in memory
    at a time.

    Parameters
    ----------
    slide
        With its analysis.
    max_blur
        A more blurred window is framed.
    """
    picture, scale = slide.picture, slide.scale
    bar = picture_footer.scale_bar(scale.mpp, scale.size.width)
    yield (
        "thumbnail",
        picture_footer.with_footer(picture, bar, classes=slide.classes, blank=True),
    )
    yield "tissue", picture_footer.with_footer(overlay.draw_outline(picture, slide.tissue), bar)
    yield from _draw_labels(slide, bar)
    yield "artefacts", _draw_artefacts(slide, max_blur, bar)
    yield "confidence", _draw_confidence(slide, bar)
    yield "density", _draw_density(slide, bar)
    yield "sampling", _draw_sampling(slide.sample)
    yield from _draw_crops(slide)


def _draw_labels(
    slide: AnalysedSlide, bar: picture_footer.ScaleBar
) -> Iterator[tuple[str, Image.Image]]:
    labels = overlay.colour_labels(slide.picture, slide.labels, slide.classes)
    small = Image.fromarray(labels)
    small.thumbnail(SMALL_SIZE, Image.Resampling.BOX)
    yield SMALL, small
    yield "overlay", picture_footer.with_footer(labels, bar, classes=slide.classes)


def _draw_artefacts(
    slide: AnalysedSlide, max_blur: float, bar: picture_footer.ScaleBar
) -> Image.Image:
    """Return artefacts in their colours, and frames around windows that are out of focus."""
    kinds = [ARTEFACT_COLORS[kind] for kind in KINDS]
    picture = overlay.draw_outline(slide.picture, slide.tissue, overlay.QUIET)
    picture = overlay.colour_labels(picture, _artefact_values(slide), kinds, opacity=0.8)
    picture = overlay.draw_boxes(picture, _blurred(slide, max_blur), color=BLURRED.color, width=2)
    return picture_footer.with_footer(picture, bar, classes=[*kinds, BLURRED])


def mark_artefacts(slide: AnalysedSlide, max_blur: float) -> NDArray[np.uint8]:
    """Return the values of `ARTEFACT_COLORS` and, in frames, of `BLURRED`, (H, W); 0 elsewhere."""
    image = Image.fromarray(_artefact_values(slide))
    draw = ImageDraw.Draw(image)
    for box in _blurred(slide, max_blur):
        draw.rectangle(box, outline=BLURRED.value, width=2)
    return np.asarray(image)


def _artefact_values(slide: AnalysedSlide) -> NDArray[np.uint8]:
    marks = np.zeros(slide.tissue.shape, np.uint8)
    for kind, mask in slide.appearance.artefacts.items():
        marks[mask] = ARTEFACT_COLORS[kind].value
    return marks


def _blurred(slide: AnalysedSlide, max_blur: float) -> list[Box]:
    """Return the windows that are out of focus, in the pixels of the picture."""
    appearance = slide.appearance
    downsample, side = slide.scale.downsample, appearance.window_side
    return [
        (x / downsample, y / downsample, (x + side) / downsample - 1, (y + side) / downsample - 1)
        for (x, y), blur in zip(appearance.windows, appearance.blurs, strict=True)
        if blur > max_blur
    ]


def _draw_confidence(slide: AnalysedSlide, bar: picture_footer.ScaleBar) -> Image.Image:
    confidence = np.where(slide.tissue, slide.confidence, np.float32(np.nan))
    low = 1 / max(len(slide.classes), 2)  # no likeliest class has less
    picture = overlay.colour_values(
        slide.picture, confidence, low=low, high=1, colormap=CONFIDENCE_MAP
    )
    words = picture_footer.ColorBar(CONFIDENCE_MAP, f"unsure, {format_number(low)}", "1, sure")
    return picture_footer.with_footer(picture, bar, color_bar=words)


def _draw_density(slide: AnalysedSlide, bar: picture_footer.ScaleBar) -> Image.Image:
    """Return the sampling pitch over the slide, the regions and the one drawn in full."""
    pitch = np.where(slide.tissue, slide.pitch.um, np.float32(np.nan))
    fine, coarse = pitch_limits(pitch)
    picture = overlay.colour_pitch(
        slide.picture, pitch, fine=fine, coarse=coarse, colormap=DENSITY_MAP
    )
    boxes = [slide.scale.box(region) for region in slide.regions]
    picture = overlay.draw_boxes(picture, boxes, chosen=slide.sample.index)
    words = picture_footer.ColorBar(
        DENSITY_MAP, f"a sample every {coarse:.2g} µm", f"every {fine:.2g} µm"
    )
    return picture_footer.with_footer(picture, bar, color_bar=words)


def pitch_limits(pitch_um: NDArray[np.float32]) -> tuple[float, float]:
    """Return the pitches of the last and the first colour, at least a factor of two apart."""
    known = pitch_um[np.isfinite(pitch_um)]
    fine, coarse = np.percentile(known, (1, 99)) if known.size else (1.0, 1.0)
    widen = max(math.sqrt(2 * fine / coarse), 1.0)
    return float(fine / widen), float(coarse * widen)


def _draw_sampling(sample: Sample) -> Image.Image:
    lattice = max(sample.positions.shape[:2])
    picture = overlay.draw_grid(
        sample.picture, sample.positions, step=max(round(lattice / GRID_LINES), 1)
    )
    return picture_footer.with_footer(
        picture, picture_footer.scale_bar(sample.mpp, picture.shape[1])
    )


def _draw_crops(slide: AnalysedSlide) -> Iterator[tuple[str, Image.Image]]:
    for number, crop in enumerate(slide.crops, start=1):
        bar = picture_footer.scale_bar(crop.mpp, crop.picture.shape[1])
        yield (
            f"crop-{number}",
            picture_footer.with_footer(crop.picture, bar, letters=CROP_LETTERS),
        )
        coloured = overlay.colour_labels(crop.picture, crop.labels, slide.classes, opacity=0.35)
        yield (
            f"crop-{number}-overlay",
            picture_footer.with_footer(coloured, bar, letters=CROP_LETTERS),
        )
