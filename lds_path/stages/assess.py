"""assess: the quality of a slide's analysis as metrics, a verdict and pictures."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from lds_path.errors import UsageError
from lds_path.formats.class_map import open_class_map
from lds_path.formats.mask import open_mask
from lds_path.formats.results import AssessResults, CropPosition, PictureSize
from lds_path.formats.slide_pixels.origin import slide_input
from lds_path.option import as_parameters
from lds_path.options.quality import AssessOptions
from lds_path.provenance.manifest import write_json
from lds_path.provenance.stage_folder import name_shards
from lds_path.provenance.stage_run import run_stage
from lds_path.provenance.typed_json import to_json
from lds_path.quality.analysed_slide import read_analysed_slide
from lds_path.quality.metrics import analysis_metrics, model_metrics, slide_metrics
from lds_path.quality.metrics.verdict import judge, limits_of
from lds_path.reporting.pictures import draw_pictures
from lds_path.reporting.zoom.layers import draw_layers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageInputs
    from lds_path.quality.analysed_slide import AnalysedSlide
    from lds_path.quality.metrics.metric import Metric

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
    screened: Path | None = None,
    options: AssessOptions = AssessOptions(),
    strict: bool = False,
) -> Manifest:
    """Judge the analysis of one slide and draw its pictures.

    Writes `metrics.json`, the pictures that `pictures.draw_pictures` names (JPEG) and the layers
    of `zoom.layers.draw_layers` (PNG).

    Parameters
    ----------
    tile, detect, stitch
        Folders of these stages.
    segment
        Folders of all shards.
    output
        Folder to write.
    screened
        Folder of the screen stage, if its artefacts are reported.
    options
        See `AssessOptions`.
    strict
        Raise instead of putting the slide in quarantine.

    Raises
    ------
    UsageError
        If the option `screen` is set, but no folder of the screen stage is given.
    """
    if options.screen and screened is None:
        raise UsageError(
            "`screen` reports what the stage screen found; name its folder by --screened, or set"
            " `screen` to false"
        )
    return run_stage(
        "assess",
        output,
        partial(_assess, options=options),
        inputs={
            "tile": tile,
            "detect": detect,
            **name_shards("segment", segment),
            "stitch": stitch,
            **({"screen": screened} if options.screen and screened is not None else {}),
            **slide_input(tile),
        },
        parameters=as_parameters(options),
        strict=strict,
    )


def _assess(folder: Path, inputs: StageInputs, *, options: AssessOptions) -> AssessResults:
    """Write the pictures and `metrics.json`."""
    slide = read_analysed_slide(
        inputs["tile"], inputs["detect"], inputs.shards("segment"), inputs["stitch"]
    )
    for name, image in draw_pictures(slide, options.max_blur):
        image.save(folder / f"{name}.jpg", quality=QUALITY, subsampling=1)
    layers = draw_layers(slide, options.max_blur)
    for name, content in layers.files.items():
        (folder / name).write_bytes(content)
    metrics = measure(slide, options)
    if options.screen:
        found = open_class_map(inputs["screen"])
        metrics |= slide_metrics.screen_metrics(found, open_mask(inputs["detect"]))
    remarks = [remark for shard in slide.segment for remark in shard.remarks]
    verdict = judge(metrics, limits_of(asdict(options.thresholds)), remarks)
    size, mpp = slide.scale.size, slide.scale.mpp
    results = AssessResults(
        verdict=verdict.word,
        reasons=verdict.reasons,
        classes=tuple(slide.classes),
        view=PictureSize(size.width, size.height, mpp),
        crops=tuple(_locate_crops(slide)),
        pitch_um=layers.pitch_um,
        **{name: _number(metrics[name]) for name in MAIN},
    )
    fields = {name: value for name, value in to_json(results).items() if name not in MAIN}
    write_json(
        folder / METRICS_NAME,
        fields | {"metrics": {name: asdict(metric) for name, metric in metrics.items()}},
    )
    return results


def measure(slide: AnalysedSlide, options: AssessOptions) -> dict[str, Metric]:
    """Return all metrics of a slide, in the order in which its page shows them."""
    appearance, tissue = slide.appearance, slide.tissue
    mpp, tissue_mm2 = slide.tile.mpp, slide.detect.tissue_mm2
    return {
        **slide_metrics.identity_metrics(slide.tile, slide.unreadable_tiles),
        **slide_metrics.focus_metrics(appearance.blurs, options.max_blur),
        **slide_metrics.artefact_metrics(appearance.artefacts, tissue),
        **slide_metrics.stain_metrics(
            appearance.glass, appearance.stains, appearance.staining, options.stain
        ),
        **analysis_metrics.tissue_metrics(slide.detect, tissue, slide.labels),
        **analysis_metrics.class_metrics(slide.stitch, slide.classes, tissue, slide.labels),
        **analysis_metrics.confidence_metrics(slide.confidence, tissue, options.min_confidence),
        **analysis_metrics.seam_metrics(slide.seams),
        **analysis_metrics.sampler_metrics(slide.regions, slide.pitch, mpp, tissue_mm2),
        **analysis_metrics.border_metrics(slide.borders),
        **model_metrics.model_metrics(slide.segment, appearance.colours),
    }


def _number(metric: Metric) -> float | None:
    return metric.value if isinstance(metric.value, int | float) else None


def _locate_crops(slide: AnalysedSlide) -> Iterator[CropPosition]:
    """Yield what each crop shows and where it lies."""
    mpp, scale = slide.tile.mpp, slide.tile.downsample
    for crop in slide.crops:
        height, width, _ = crop.picture.shape
        yield CropPosition(
            crop.title,
            round((crop.left + width * crop.mpp / mpp / 2) * scale),
            round((crop.top + height * crop.mpp / mpp / 2) * scale),
            crop.mpp,
        )
