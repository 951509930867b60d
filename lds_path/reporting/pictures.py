"""The pictures of one slide: what was found, drawn over what the slide looks like."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from lds_path.classes import LabelClass
from lds_path.pixels.artefacts import KINDS
from lds_path.provenance.cohort import SMALL, SMALL_SIZE
from lds_path.quality.metric import number
from lds_path.reporting import overlay

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.quality.examination import Examination
    from lds_path.quality.view import Sample

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


def draw_pictures(found: Examination, max_blur: float) -> dict[str, Image.Image]:
    """Return the pictures of the slide and of one region by name, `SMALL`, and two of each crop.

    A crop gives `crop-<number>` and, with its labels, `crop-<number>-overlay`.

    Parameters
    ----------
    found
        The slide.
    max_blur
        A window that is more blurred is framed.
    """
    picture, view = found.picture, found.view
    bar = overlay.scale_bar(view.mpp, view.size.width)
    tissue = overlay.draw_outline(picture, found.tissue)
    labels = overlay.colour_labels(picture, found.labels, found.classes)
    small = Image.fromarray(labels)
    small.thumbnail(SMALL_SIZE, Image.Resampling.BOX)
    return {
        "thumbnail": overlay.with_footer(picture, bar, classes=found.classes, blank=True),
        "tissue": overlay.with_footer(tissue, bar),
        "overlay": overlay.with_footer(labels, bar, classes=found.classes),
        "artefacts": _draw_artefacts(found, max_blur, bar),
        "confidence": _draw_confidence(found, bar),
        "density": _draw_density(found, bar),
        "sampling": _draw_sampling(found.sample),
        SMALL: small,
        **_draw_crops(found),
    }


def _draw_artefacts(found: Examination, max_blur: float, bar: overlay.ScaleBar) -> Image.Image:
    """Return artefacts in their colours, and frames around windows that are out of focus."""
    appearance = found.appearance
    marks = np.zeros(found.tissue.shape, np.uint8)
    for kind, mask in appearance.artefacts.items():
        marks[mask] = ARTEFACT_COLORS[kind].value
    kinds = [ARTEFACT_COLORS[kind] for kind in KINDS]
    picture = overlay.draw_outline(found.picture, found.tissue, overlay.QUIET)
    picture = overlay.colour_labels(picture, marks, kinds, opacity=0.8)
    scale, side = found.view.scale, appearance.window_side
    boxes = [
        (x / scale, y / scale, (x + side) / scale - 1, (y + side) / scale - 1)
        for (x, y), blur in zip(appearance.windows, appearance.blurs, strict=True)
        if blur > max_blur
    ]
    picture = overlay.draw_boxes(picture, boxes, color=BLURRED.color, width=2)
    return overlay.with_footer(picture, bar, classes=[*kinds, BLURRED])


def _draw_confidence(found: Examination, bar: overlay.ScaleBar) -> Image.Image:
    confidence = np.where(found.tissue, found.confidence, np.float32(np.nan))
    low = 1 / max(len(found.classes), 2)  # no likeliest class has less
    picture = overlay.colour_values(
        found.picture, confidence, low=low, high=1, colormap=CONFIDENCE_MAP
    )
    words = overlay.ColorBar(CONFIDENCE_MAP, f"unsure, {number(low)}", "1, sure")
    return overlay.with_footer(picture, bar, color_bar=words)


def _draw_density(found: Examination, bar: overlay.ScaleBar) -> Image.Image:
    """Return the sampling pitch over the slide, the regions and the one drawn in full."""
    pitch = np.where(found.tissue, found.pitch.um, np.float32(np.nan))
    fine, coarse = _pitch_limits(pitch)
    picture = overlay.colour_pitch(
        found.picture, pitch, fine=fine, coarse=coarse, colormap=DENSITY_MAP
    )
    boxes = [found.view.box(region) for region in found.regions]
    picture = overlay.draw_boxes(picture, boxes, chosen=found.sample.place)
    words = overlay.ColorBar(DENSITY_MAP, f"a sample every {coarse:.2g} µm", f"every {fine:.2g} µm")
    return overlay.with_footer(picture, bar, color_bar=words)


def _pitch_limits(pitch_um: NDArray[np.float32]) -> tuple[float, float]:
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
    return overlay.with_footer(picture, overlay.scale_bar(sample.mpp, picture.shape[1]))


def _draw_crops(found: Examination) -> dict[str, Image.Image]:
    pictures: dict[str, Image.Image] = {}
    for place, crop in enumerate(found.crops, start=1):
        bar = overlay.scale_bar(crop.mpp, crop.picture.shape[1])
        pictures[f"crop-{place}"] = overlay.with_footer(crop.picture, bar, letters=CROP_LETTERS)
        coloured = overlay.colour_labels(crop.picture, crop.labels, found.classes, opacity=0.35)
        pictures[f"crop-{place}-overlay"] = overlay.with_footer(coloured, bar, letters=CROP_LETTERS)
    return pictures
