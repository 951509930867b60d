"""What the workflow is compared with, on the same slide and in the same run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import pyvips
import torch
from monai.inferers import SlidingWindowInferer
from scipy.interpolate import griddata

from lds_path.formats.predictions import Predictions
from lds_path.formats.pyramid import open_pyramid
from lds_path.geometry import Size
from lds_path.network.checkpoint import find_model, load_model
from lds_path.unwarp import unwarp

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE = 1024
"""Edge in pixels of the tissue that the full-resolution network is timed on."""


def copy_with_libvips(slide: Path, copy: Path) -> float:
    """Return the seconds libvips takes to write the slide again as a tiled JPEG pyramid."""
    code = (
        "import sys, pyvips; pyvips.Image.new_from_file(sys.argv[1], access='sequential')"
        ".tiffsave(sys.argv[2], tile=True, tile_width=256, tile_height=256, pyramid=True,"
        " compression='jpeg', Q=85, bigtiff=True)"
    )
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, slide, copy], check=True, env=os.environ)
    seconds = time.perf_counter() - started
    copy.unlink()
    return seconds


def segment_at_full_resolution(tile: Path, left: int, top: int, threads: int) -> float:
    """Return megapixels a second of the same MONAI network slid over every pixel of tissue."""
    torch.set_num_threads(threads)
    segmenter, _ = load_model(find_model("demo"))
    pixels = open_pyramid(tile).read(0, left, top, Size(SAMPLE, SAMPLE))
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    inferer = SlidingWindowInferer(roi_size=(512, 512), sw_batch_size=4, overlap=0.25)
    with torch.inference_mode():
        inferer(image[..., :512, :512], segmenter.network)
        started = time.perf_counter()
        inferer(image, segmenter.network)
    return SAMPLE**2 / 1e6 / (time.perf_counter() - started)


def unwarp_with_scipy(predictions: Path) -> tuple[float, float, float]:
    """Return seconds of griddata and of unwarp for one region, and their largest difference."""
    store = Predictions([predictions])
    prediction = store.read(store.regions[len(store.regions) // 2].index)
    scores = prediction.probability.astype(np.float32) / 255
    positions = prediction.positions
    size = prediction.region.size
    unwarp(scores, positions, size)  # compiles
    started = time.perf_counter()
    ours = unwarp(scores, positions, size)
    ours_seconds = time.perf_counter() - started
    started = time.perf_counter()
    scale = np.array([size.width, size.height]) / 2
    points = (positions.reshape(-1, 2) + 1) * scale - 0.5
    columns, rows = np.meshgrid(np.arange(size.width), np.arange(size.height))
    theirs = griddata(points, scores.reshape(len(scores), -1).T, (columns, rows), method="linear")
    scipy_seconds = time.perf_counter() - started
    difference = np.abs(np.moveaxis(theirs, -1, 0) - ours)
    return scipy_seconds, ours_seconds, float(np.nanmedian(difference))


def vips_version() -> str:
    """Return the version of libvips."""
    return ".".join(str(pyvips.version(part)) for part in range(3))
