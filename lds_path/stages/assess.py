"""assess: quality of a slide's analysis in numbers, a verdict in words, and pictures."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from lds_path.formats.results import AssessResults, CropPlace, ViewScale
from lds_path.option import as_parameters
from lds_path.options.quality import AssessOptions
from lds_path.provenance.manifest import write_json
from lds_path.provenance.stage_folder import name_shards
from lds_path.provenance.stage_run import run_stage
from lds_path.provenance.typed_json import to_json
from lds_path.quality import analysis_metrics as analysis
from lds_path.quality import slide_metrics as slide
from lds_path.quality.examination import examine
from lds_path.quality.verdict import judge, limits_of
from lds_path.reporting.pictures import draw_pictures

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageInputs
    from lds_path.quality.examination import Examination
    from lds_path.quality.metric import Metric

METRICS_NAME = "metrics.json"
QUALITY = 80
"""Of the JPEG pictures."""
MAIN = ("tissue_mm2", "analysed_percent", "confidence", "uncertain_percent", "out_of_focus_percent")


def assess(
    tile: Path,
    detect: Path,
    segment: list[Path],
    stitch: Path,
    output: Path,
    *,
    options: AssessOptions = AssessOptions(),
    strict: bool = False,
) -> Manifest:
    """Judge the analysis of one slide and draw what was found.

    The folder gets `metrics.json` and the pictures that `pictures.draw_pictures` names (JPEG).

    Parameters
    ----------
    tile, detect, stitch
        Folders of these stages.
    segment
        Folders of all shards.
    output
        Folder to write.
    options
        See `AssessOptions`.
    strict
        Raise instead of putting the slide in quarantine.
    """
    return run_stage(
        "assess",
        output,
        partial(_assess, options=options),
        inputs={
            "tile": tile,
            "detect": detect,
            **name_shards("segment", segment),
            "stitch": stitch,
        },
        parameters=as_parameters(options),
        strict=strict,
    )


def _assess(folder: Path, inputs: StageInputs, *, options: AssessOptions) -> AssessResults:
    """Write the pictures and `metrics.json`."""
    found = examine(inputs["tile"], inputs["detect"], inputs.shards("segment"), inputs["stitch"])
    for name, image in draw_pictures(found, options.max_blur).items():
        image.save(folder / f"{name}.jpg", quality=QUALITY, subsampling=1)
    metrics = measure(found, min_confidence=options.min_confidence, max_blur=options.max_blur)
    verdict = judge(metrics, limits_of(asdict(options.thresholds)))
    size, mpp = found.view.size, found.view.mpp
    results = AssessResults(
        verdict=verdict.word,
        reasons=verdict.reasons,
        classes=tuple(found.classes),
        view=ViewScale(size.width, size.height, mpp),
        crops=tuple(_place_crops(found)),
        **{name: _number(metrics[name]) for name in MAIN},
    )
    shown = {name: value for name, value in to_json(results).items() if name not in MAIN}
    write_json(
        folder / METRICS_NAME,
        shown | {"metrics": {name: asdict(metric) for name, metric in metrics.items()}},
    )
    return results


def measure(found: Examination, *, min_confidence: float, max_blur: float) -> dict[str, Metric]:
    """Return all metrics of a slide, in the order of the page."""
    look, tissue = found.appearance, found.tissue
    mpp, tissue_mm2 = found.tile.mpp, found.detect.tissue_mm2
    return {
        **slide.identity_metrics(found.tile),
        **slide.focus_metrics(look.blurs, max_blur),
        **slide.artefact_metrics(look.artefacts, tissue),
        **slide.stain_metrics(look.glass, look.stains, look.staining),
        **analysis.tissue_metrics(found.detect, tissue, found.labels),
        **analysis.class_metrics(found.stitch, found.classes, tissue, found.labels),
        **analysis.confidence_metrics(found.confidence, tissue, min_confidence),
        **analysis.seam_metrics(found.seams),
        **analysis.sampler_metrics(found.regions, found.pitch, mpp, tissue_mm2),
        **analysis.border_metrics(found.borders),
    }


def _number(metric: Metric) -> float | None:
    return metric.value if isinstance(metric.value, int | float) else None


def _place_crops(found: Examination) -> Iterator[CropPlace]:
    """Yield what each crop shows and where it lies."""
    mpp, scale = found.tile.mpp, found.tile.downsample
    for crop in found.crops:
        height, width, _ = crop.picture.shape
        yield CropPlace(
            crop.title,
            round((crop.left + width * crop.mpp / mpp / 2) * scale),
            round((crop.top + height * crop.mpp / mpp / 2) * scale),
            crop.mpp,
        )
