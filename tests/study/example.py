"""What a model does to one image, in a picture: where it looks, what it sees, what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

from lds_path.formats.pyramid import open_pyramid
from lds_path.inference.region_tensors import read_region
from lds_path.network.spec import levels_around
from lds_path.network.warp import warp
from lds_path.provenance.stage_folder import open_folder
from lds_path.quality.analysed_slide import read_analysed_slide
from lds_path.reporting import overlay

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.quality.analysed_slide import AnalysedSlide


def draw_example(
    output: Path, tile: Path, detect: Path, segment: Path, stitch: Path, labels: Path
) -> None:
    """Write slide, sample pitch, one region's grid and samples, labels and reference as a JPEG."""
    slide = read_analysed_slide(
        *map(open_folder, (tile, detect)), [open_folder(segment)], open_folder(stitch)
    )
    pitch = np.where(slide.tissue, slide.pitch.um, np.float32(np.nan))
    fine, coarse = np.nanpercentile(pitch, (1, 99))
    heat = overlay.colour_pitch(
        slide.picture, pitch, fine=fine, coarse=coarse, colormap="viridis", opacity=1.0
    )
    boxes = [slide.scale.box(region) for region in slide.regions]
    height, width = slide.picture.shape[:2]
    with Image.open(labels) as image:
        reference = np.asarray(image.resize((width, height), Image.Resampling.NEAREST))
    sample = slide.sample
    step = max(max(sample.positions.shape[:2]) // 24, 1)
    pictures = {
        "image": slide.picture,
        f"a sample every {fine:.1f} (yellow) to {coarse:.1f} µm": overlay.draw_boxes(
            heat, boxes, chosen=sample.index
        ),
        "labels": overlay.colour_labels(slide.picture, slide.labels, slide.classes, opacity=0.6),
        "one region and its grid": overlay.draw_grid(sample.picture, sample.positions, step=step),
        "its samples, as the network sees them": _samples(tile, slide),
        "reference": overlay.colour_labels(slide.picture, reference, slide.classes, opacity=0.6),
    }
    figure = Figure(figsize=(10.5, 7.2 * height / width + 0.6), layout="constrained", dpi=100)
    for axis, (title, picture) in zip(figure.subplots(2, 3).flat, pictures.items(), strict=True):
        axis.imshow(picture, aspect="equal")
        axis.set_title(title, fontsize="small")
        axis.set_axis_off()
    figure.savefig(output, pil_kwargs={"quality": 85})


def _samples(tile: Path, slide: AnalysedSlide) -> NDArray[np.uint8]:
    """Return the colours of the chosen region's samples, (h, w, 3)."""
    region = slide.regions[slide.sample.index]
    grid = torch.from_numpy(slide.sample.positions)[None]
    pyramid = open_pyramid(tile)
    levels = [
        read_region(pyramid, region, level)[None].float()
        for level in levels_around(region.size, region.lattice)
    ]
    colours: NDArray[np.uint8] = warp(levels, grid)[0].round().byte().permute(1, 2, 0).numpy()
    return colours
