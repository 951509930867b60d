"""assess: quality of a slide's analysis in numbers, a verdict in words, and pictures."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lds_path.option import as_parameters
from lds_path.options.quality import AssessOptions
from lds_path.provenance.manifest import write_json
from lds_path.provenance.stage_run import run_stage
from lds_path.quality import analysis_metrics as analysis
from lds_path.quality import slide_metrics as slide
from lds_path.quality.examination import examine
from lds_path.quality.verdict import judge, limits_of
from lds_path.reporting.pictures import draw_pictures

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from lds_path.provenance.manifest import Manifest
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

    def work(folder: Path) -> Mapping[str, Any]:
        found = examine(tile, detect, segment, stitch)
        for name, image in draw_pictures(found, options.max_blur).items():
            image.save(folder / f"{name}.jpg", quality=QUALITY, subsampling=1)
        metrics = measure(found, min_confidence=options.min_confidence, max_blur=options.max_blur)
        verdict = judge(metrics, limits_of(asdict(options.thresholds)))
        content = {
            "verdict": verdict.word,
            "reasons": list(verdict.reasons),
            "classes": [asdict(each) for each in found.classes],
            "view": {**asdict(found.view.size), "mpp": found.view.mpp},
            "crops": _describe_crops(found),
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
        parameters=as_parameters(options),
        strict=strict,
    )


def measure(found: Examination, *, min_confidence: float, max_blur: float) -> dict[str, Metric]:
    """Return all metrics of a slide, in the order of the page."""
    look, tissue = found.appearance, found.tissue
    mpp, tissue_mm2 = found.tile["mpp"], found.detect["tissue_mm2"]
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


def _describe_crops(found: Examination) -> list[dict[str, Any]]:
    """Return what each crop shows and where it lies, in level-0 pixels from the bounds corner.

    That corner is where QuPath begins to count.
    """
    scale = found.tile["downsample"]
    return [
        {
            "title": crop.title,
            "x": round(
                (crop.left + crop.picture.shape[1] * crop.mpp / found.tile["mpp"] / 2) * scale
            ),
            "y": round(
                (crop.top + crop.picture.shape[0] * crop.mpp / found.tile["mpp"] / 2) * scale
            ),
            "mpp": crop.mpp,
        }
        for crop in found.crops
    ]
