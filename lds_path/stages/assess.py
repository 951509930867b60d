"""assess: quality of a slide's analysis in numbers, a verdict in words, and pictures."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lds_path import metrics as names
from lds_path import overlay
from lds_path.formats.labels import open_labels
from lds_path.formats.manifest import read_manifest, run_stage, write_json
from lds_path.formats.mask import open_mask
from lds_path.formats.predictions import PREDICTIONS_NAME, Predictions
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.view import (
    Pitch,
    Sample,
    View,
    read_confidence,
    read_crops,
    read_labels,
    read_picture,
    read_pitch,
    read_sample,
    view_of,
)
from lds_path.quality import Metric, focus, judge, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from PIL import Image

    from lds_path.classes import LabelClass
    from lds_path.formats.manifest import Manifest
    from lds_path.geometry import Region

METRICS_NAME = "metrics.json"
CONFIDENCE_NAME = "confidence.png"
GRID_LINES = 42
CONFIDENCE_MAP, DENSITY_MAP = "viridis", "inferno"
MAIN = ("tissue_mm2", "analysed_percent", "confidence", "uncertain_percent", "focus")


def assess(
    tile: Path,
    detect: Path,
    segment: list[Path],
    stitch: Path,
    output: Path,
    *,
    min_confidence: float = 0.5,
    warn_tissue_mm2: float = 0.1,
    fail_tissue_mm2: float = 0.01,
    warn_analysed_percent: float = 95.0,
    fail_analysed_percent: float = 80.0,
    warn_uncertain_percent: float = 20.0,
    fail_uncertain_percent: float = 50.0,
    warn_focus: float = 60.0,
    fail_focus: float = 10.0,
    warn_unreadable_tiles: int = 0,
    fail_unreadable_tiles: int = 100,
    strict: bool = False,
) -> Manifest:
    """Judge the analysis of one slide and draw what was found.

    The folder gets `metrics.json` and the pictures `thumbnail`, `tissue`, `overlay`, `density`,
    `sampling` and `confidence` (PNG).

    Parameters
    ----------
    tile, detect, stitch
        Folders of these stages.
    segment
        Folders of all shards.
    output
        Folder to write.
    min_confidence
        Where the likeliest class has a lower probability, the model counts as unsure.
    warn_tissue_mm2, fail_tissue_mm2
        Least area of tissue.
    warn_analysed_percent, fail_analysed_percent
        Least share of the tissue that has a label.
    warn_uncertain_percent, fail_uncertain_percent
        Largest share of the tissue about which the model is unsure.
    warn_focus, fail_focus
        Least sharpness, see `quality.focus`.
    warn_unreadable_tiles, fail_unreadable_tiles
        Largest number of tiles of the file that could not be decoded.
    strict
        Raise instead of putting the slide in quarantine.
    """
    limits: dict[str, float] = {
        "warn_tissue_mm2": warn_tissue_mm2,
        "fail_tissue_mm2": fail_tissue_mm2,
        "warn_analysed_percent": warn_analysed_percent,
        "fail_analysed_percent": fail_analysed_percent,
        "warn_uncertain_percent": warn_uncertain_percent,
        "fail_uncertain_percent": fail_uncertain_percent,
        "warn_focus": warn_focus,
        "fail_focus": fail_focus,
        "warn_unreadable_tiles": warn_unreadable_tiles,
        "fail_unreadable_tiles": fail_unreadable_tiles,
    }

    def work(folder: Path) -> Mapping[str, Any]:
        slide = _read_slide(tile, detect, segment, stitch)
        for name, image in _draw_pictures(slide).items():
            image.save(folder / f"{name}.png")
        metrics = _measure(slide, min_confidence)
        verdict = judge(metrics, names.verdict_limits(limits))
        content = {
            "verdict": verdict.word,
            "reasons": list(verdict.reasons),
            "classes": [asdict(each) for each in slide.classes],
            "view": {**asdict(slide.view.size), "mpp": slide.view.mpp},
        }
        write_json(
            folder / METRICS_NAME,
            {**content, "metrics": {name: asdict(metric) for name, metric in metrics.items()}},
        )
        return {**content, **{name: metrics[name].value for name in MAIN}}

    shards = {f"segment_{index}": path for index, path in enumerate(segment, start=1)}
    return run_stage(
        "assess",
        output,
        work,
        inputs={"tile": tile, "detect": detect, **shards, "stitch": stitch},
        parameters={"min_confidence": min_confidence, **limits},
        strict=strict,
    )


@dataclass(frozen=True)
class _Slide:
    """What the stages before left of a slide, its pixels on those of one view."""

    tile: Mapping[str, Any]
    detect: Mapping[str, Any]
    stitch: Mapping[str, Any]
    view: View
    picture: NDArray[np.uint8]
    tissue: NDArray[np.bool_]
    labels: NDArray[np.uint8]
    classes: Sequence[LabelClass]
    confidence: NDArray[np.float32]
    pitch: Pitch
    regions: Sequence[Region]
    sharpness: float | None
    sample: Sample


def _read_slide(tile: Path, detect: Path, segment: Sequence[Path], stitch: Path) -> _Slide:
    found = {path: read_manifest(path) for path in (tile, detect, stitch)}
    pyramid = open_pyramid(tile)
    mpp = pyramid.frame.mpp
    view = view_of(pyramid.size, mpp)
    mask = open_mask(detect, found[detect].results["mask_downsample"])
    tissue = mask.read(0, 0, view.size, scale=view.scale)
    with open_labels(stitch / f"{found[tile].slide}.labels.ome.tif") as image:
        labels, classes = read_labels(image, view, mpp), image.classes
        step = found[stitch].results["confidence_downsample"] * image.mpp / mpp
    with Predictions([folder / PREDICTIONS_NAME for folder in segment]) as predictions:
        pitch = read_pitch(predictions, view, mpp)
        shares = [view.tissue_share(tissue, region) for region in predictions.regions]
        sample = read_sample(pyramid, predictions, pitch.ranges_um, shares)
    return _Slide(
        tile=found[tile].results,
        detect=found[detect].results,
        stitch=found[stitch].results,
        view=view,
        picture=read_picture(pyramid, view),
        tissue=tissue,
        labels=labels,
        classes=classes,
        confidence=read_confidence(stitch / CONFIDENCE_NAME, view, step),
        pitch=pitch,
        regions=predictions.regions,
        sharpness=focus(read_crops(pyramid, mask)),
        sample=sample,
    )


def _measure(slide: _Slide, min_confidence: float) -> dict[str, Metric]:
    samples = sum(region.lattice.width * region.lattice.height for region in slide.regions)
    return {
        **names.slide_metrics(slide.tile, slide.sharpness),
        **names.tissue_metrics(slide.detect, slide.tissue, slide.labels),
        **names.class_metrics(slide.stitch, slide.classes, slide.tissue, slide.labels),
        **names.confidence_metrics(slide.confidence, slide.tissue, min_confidence),
        **names.sampler_metrics(samples, slide.pitch.ranges_um, slide.detect["tissue_mm2"]),
    }


def _draw_pictures(slide: _Slide) -> dict[str, Image.Image]:
    """Return the pictures of the whole slide, and of one region, by name."""
    picture, view = slide.picture, slide.view
    bar = overlay.scale_bar(view.mpp, view.size.width)
    tissue = overlay.draw_outline(picture, slide.tissue)
    labels = overlay.colour_labels(picture, slide.labels, slide.classes)
    return {
        "thumbnail": overlay.with_footer(picture, bar),
        "tissue": overlay.with_footer(tissue, bar),
        "overlay": overlay.with_footer(labels, bar, classes=slide.classes),
        "confidence": _draw_confidence(slide, bar),
        "density": _draw_density(slide, bar),
        "sampling": _draw_sampling(slide.sample),
    }


def _draw_confidence(slide: _Slide, bar: overlay.ScaleBar) -> Image.Image:
    confidence = np.where(slide.tissue, slide.confidence, np.float32(np.nan))
    low = 1 / max(len(slide.classes), 2)  # no likeliest class has less
    picture = overlay.colour_values(
        slide.picture, confidence, low=low, high=1, colormap=CONFIDENCE_MAP
    )
    words = overlay.ColorBar(CONFIDENCE_MAP, f"unsure, {number(low)}", "1, sure")
    return overlay.with_footer(picture, bar, color_bar=words)


def _draw_density(slide: _Slide, bar: overlay.ScaleBar) -> Image.Image:
    """Return the sampling pitch over the slide, the regions and the one drawn in full."""
    pitch = np.where(slide.tissue, slide.pitch.um, np.float32(np.nan))
    fine, coarse = _pitch_limits(pitch)
    picture = overlay.colour_values(
        slide.picture,
        -np.log2(pitch),
        low=-math.log2(coarse),
        high=-math.log2(fine),
        colormap=DENSITY_MAP,
    )
    boxes = [slide.view.box(region) for region in slide.regions]
    picture = overlay.draw_boxes(picture, boxes, chosen=slide.sample.place)
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
