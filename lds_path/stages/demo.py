"""Paint a slide and its reference labels as tiled TIFF files, for trying the workflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile
from PIL import Image

from lds_path.errors import UsageError
from lds_path.geometry import Size
from lds_path.pixels.synthetic import MPP, paint_slide
from lds_path.provenance.stage_run import run_stage

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.provenance.manifest import Manifest

SLIDE_NAME = "slide.tif"
LABELS_NAME = "labels.tif"
MIN_SIDE = 512
TILE = (256, 256)


def demo(
    output: Path,
    *,
    seed: int = 1,
    width: int = 6144,
    height: int = 5120,
    structured: float = 1.0,
) -> Manifest:
    """Paint a slide.

    Writes `slide.tif`, a pyramidal JPEG TIFF of 0.5 um pixels that OpenSlide reads, and
    `labels.tif`, its reference labels at the same size: 0 glass, 1 to 4 `synthetic.CLASSES`.

    Parameters
    ----------
    output
        Folder to write; its name is the slide's id.
    seed
        The same seed and size give the same slide.
    width
        Width in pixels.
    height
        Height in pixels.
    structured
        Share of the slide, about its centre, in which anything but stroma lies.

    Raises
    ------
    UsageError
        If a side is shorter than 512 pixels, or the share not more than 0 and at most 1.
    """
    if min(width, height) < MIN_SIDE:
        raise UsageError(f"a painted slide of {width} x {height} is too small; use 512 or more")

    if not 0 < structured <= 1:
        raise UsageError(f"structured is {structured:g}, expected more than 0 and at most 1")

    def work(folder: Path) -> dict[str, Any]:
        painted = paint_slide(seed, Size(width, height), structured=structured)
        _write_slide(folder / SLIDE_NAME, np.concatenate(list(painted.strips())))
        _write_labels(folder / LABELS_NAME, painted.labels)
        return {"width": width, "height": height, "mpp": MPP}

    parameters = {"seed": seed, "width": width, "height": height, "structured": structured}
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
