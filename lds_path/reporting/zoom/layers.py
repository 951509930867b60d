"""Maps of a slide as coloured pictures with a transparent ground, to lay over it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lds_path.pixels.artefacts import KINDS
from lds_path.reporting import overlay
from lds_path.reporting.pictures import (
    ARTEFACT_COLORS,
    BLURRED,
    CONFIDENCE_MAP,
    DENSITY_MAP,
    mark_artefacts,
    pitch_limits,
)
from lds_path.reporting.zoom.tiles import class_colours, save_palette

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from lds_path.quality.analysed_slide import AnalysedSlide

DENSITY_NAME, ARTEFACTS_NAME = "density-layer.png", "artefacts-layer.png"
"""Files of assess."""
_STEPS = 32
"""Colours of a map: more would only make the files larger."""


@dataclass(frozen=True)
class DrawnLayers:
    """The layers that assess draws."""

    files: dict[str, bytes]
    """Name -> content."""
    pitch_um: tuple[float, float]
    """Distances between samples that the last and the first colour of the density stand for."""


def draw_layers(slide: AnalysedSlide, max_blur: float) -> DrawnLayers:
    """Return the sampling density and the artefacts of a slide as layers; both cover all of it."""
    pitch = np.where(slide.tissue, slide.pitch.um, np.float32(np.nan))
    fine, coarse = pitch_limits(pitch)
    shares = np.log2(pitch / np.float32(coarse)) / np.log2(fine / coarse)
    classes = [*(ARTEFACT_COLORS[kind] for kind in KINDS), BLURRED]
    marks = save_palette(mark_artefacts(slide, max_blur), class_colours(classes))
    return DrawnLayers(
        {DENSITY_NAME: draw_values(shares, DENSITY_MAP), ARTEFACTS_NAME: marks}, (fine, coarse)
    )


def draw_confidence(pixels: NDArray[np.uint8], class_count: int) -> bytes:
    """Return the confidence image of stitch as a layer; its lowest colour is that of a guess."""
    low = lowest_confidence(class_count)
    shares = (np.arange(256, dtype=np.float32) / 255 - low) / (1 - low)
    shares[0] = np.nan
    steps = _steps(shares.astype(np.float32))
    return _save_steps(steps[pixels], CONFIDENCE_MAP)  # by table: a pixel takes one byte


def lowest_confidence(class_count: int) -> float:
    """Return the smallest probability that a likeliest class can have."""
    return 1 / max(class_count, 2)


def draw_values(shares: NDArray[np.float32], colormap: str) -> bytes:
    """Return values as PNG: 0 has the first colour of a map, 1 the last; NaN is transparent."""
    return _save_steps(_steps(shares), colormap)


def _steps(shares: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the number of the colour of each value, from 1; 0 is transparent."""
    steps = 1 + np.rint(np.clip(np.nan_to_num(shares), 0, 1) * (_STEPS - 1))
    return np.where(np.isnan(shares), 0, steps).astype(np.uint8)


def _save_steps(steps: NDArray[np.uint8], colormap: str) -> bytes:
    return save_palette(steps, [0, 0, 0, *np.ravel(ramp(colormap, _STEPS)).tolist()])


def ramp(colormap: str, count: int) -> NDArray[np.uint8]:
    """Return evenly spaced colours of a map, (count, 3)."""
    places = np.linspace(0, 255, count).astype(int)
    colours: NDArray[np.uint8] = overlay.palette(colormap)[places].astype(np.uint8)
    return colours
