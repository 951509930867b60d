"""Results as the stages write them into their manifests, for folders that tests make up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lds_path.classes import LabelClass, make_classes
from lds_path.formats.class_map import write_class_map
from lds_path.formats.results import (
    DetectResults,
    ScreenResults,
    SegmentResults,
    StitchResults,
    TileResults,
)
from lds_path.provenance.stage_run import run_stage

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from lds_path.geometry import Size
    from lds_path.provenance.stage_folder import StageInputs

SCREENED = make_classes(("Glass", "Tissue", "Pen", "Fold", "Bubble", "Out of focus"), ())
"""Classes of the model `tissue-qc`."""


def tile_results(size: Size, *, mpp: float = 0.5, **changes: Any) -> TileResults:
    """Return the results of tile for a slide of so many working pixels."""
    downsample = changes.get("downsample", 1.0)
    content = {
        "width": size.width,
        "height": size.height,
        "mpp": mpp,
        "downsample": 1.0,
        "left_l0": 0,
        "top_l0": 0,
        "width_l0": round(size.width * downsample),
        "height_l0": round(size.height * downsample),
        "slide_mpp": mpp / downsample,
        "mpp_source": "sheet",
        "vendor": "generic-tiff",
        "file": "slide.tif",
        "format": "TIFF",
        "levels": 2,
        "slide_level": 0,
        "unreadable_tiles": 0,
        "background": 243,
        "icc": False,
        "objective_power": None,
    }
    return TileResults(**content | changes)


def detect_results(mask_downsample: float, *, regions: int = 1, **changes: Any) -> DetectResults:
    """Return the results of detect."""
    content = {
        "tissue_mm2": 1.0,
        "pieces": 1,
        "regions": regions,
        "mask_level": 4,
        "mask_downsample": mask_downsample,
        "mask_mpp": 0.5 * mask_downsample,
    }
    return DetectResults(**content | changes)


def write_screen(
    output: Path, tile: Path, found: NDArray[np.uint8], *, downsample: float, mpp: float
) -> Path:
    """Write the folder of the stage screen with a class map, (H, W), and return it."""

    def work(folder: Path, _: StageInputs) -> ScreenResults:
        write_class_map(folder, found, SCREENED)
        return ScreenResults(
            model="tissue-qc",
            model_mpp=8.0,
            classes=SCREENED,
            percent={item.name: 100 * float((found == item.value).mean()) for item in SCREENED},
            map_downsample=downsample,
            map_mpp=mpp,
        )

    run_stage("screen", output, work, inputs={"tile": tile}, parameters={"model": "tissue-qc"})
    return output


def segment_results(classes: Sequence[LabelClass], *, regions: int = 1) -> SegmentResults:
    """Return the results of segment."""
    return SegmentResults(
        regions=regions,
        region_mpp=0.5,
        samples=1024 * regions,
        model="demo",
        model_mpp=0.5,
        sampler="uniform",
        classes=tuple(classes),
    )


def stitch_results(
    size: Size, classes: Sequence[LabelClass], *, mpp: float = 0.5, **changes: Any
) -> StitchResults:
    """Return the results of stitch for a label image of a size."""
    content = {
        "classes": tuple(classes),
        "pixels": {each.name: 1 for each in classes},
        "mean_confidence": {each.name: 1.0 for each in classes},
        "width": size.width,
        "height": size.height,
        "mpp": mpp,
        "scale": 1.0,
        "downsample": 1.0,
        "left_l0": 0,
        "top_l0": 0,
        "confidence_downsample": 16,
    }
    return StitchResults(**content | changes)
