"""Paint a slide and its reference labels as tiled TIFF files, for trying the workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from PIL import Image

from lds_path.geometry import Size
from lds_path.option import as_parameters
from lds_path.options.slides import DemoOptions
from lds_path.pixels.synthetic import MPP, paint_slide
from lds_path.provenance.stage_run import run_stage
from lds_path.slides.reader import PAINTED

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageInputs

SLIDE_NAME = "slide.tif"
LABELS_NAME = "labels.tif"
TILE = (256, 256)


def demo(output: Path, *, options: DemoOptions = DemoOptions()) -> Manifest:
    """Paint a slide.

    Writes `slide.tif`, a pyramidal JPEG TIFF of 0.5 um pixels that OpenSlide reads, and
    `labels.tif`, its reference labels at the same size: 0 glass, 1 to 4 `synthetic.CLASSES`.

    Parameters
    ----------
    output
        Folder to write; its name is the slide's id.
    options
        See `DemoOptions`.
    """

    def work(folder: Path, _: StageInputs) -> dict[str, Any]:
        size = Size(options.width, options.height)
        painted = paint_slide(options.seed, size, structured=options.structured)
        _write_slide(folder / SLIDE_NAME, np.concatenate(list(painted.strips())))
        _write_labels(folder / LABELS_NAME, painted.labels)
        return {"width": size.width, "height": size.height, "mpp": MPP}

    parameters = as_parameters(options)
    return run_stage("demo", output, work, inputs={}, parameters=parameters, slide=output.name)


def _write_slide(path: Path, rgb: NDArray[np.uint8]) -> None:
    with tifffile.TiffWriter(path) as writer:
        image = Image.fromarray(rgb)
        downsample = 1
        while True:
            writer.write(
                np.asarray(image),
                photometric="rgb",
                tile=TILE,
                compression="jpeg",
                compressionargs={"level": 88},
                subfiletype=0 if downsample == 1 else 1,
                resolution=(1e4 / (MPP * downsample), 1e4 / (MPP * downsample)),
                resolutionunit="CENTIMETER",
                software="lds-path",
                description=PAINTED if downsample == 1 else None,
                metadata=None,
            )
            if max(image.size) <= 2 * TILE[0]:
                return
            image, downsample = image.reduce(2), downsample * 2


def _write_labels(path: Path, labels: NDArray[np.uint8]) -> None:
    tifffile.imwrite(
        path,
        labels,
        photometric="minisblack",
        tile=TILE,
        compression="zlib",
        resolution=(1e4 / MPP, 1e4 / MPP),
        resolutionunit="CENTIMETER",
        software="lds-path",
        metadata=None,
    )
