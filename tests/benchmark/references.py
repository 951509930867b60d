"""What the workflow is compared with, on the same slide and in the same run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from scipy.interpolate import griddata
from scipy.spatial import Delaunay

from lds_path.formats.predictions import Predictions
from lds_path.formats.pyramid import open_pyramid
from lds_path.geometry import Size
from lds_path.models.card import find_model, read_card
from lds_path.network.architectures.build import build_network
from lds_path.unwarp.blend import unwarp
from lds_path.unwarp.mesh import build_mesh

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.geometry import Region

SAMPLE = 2048
"""Edge in pixels of the tissue that the full-resolution network is timed on: 5 x 5 windows."""
WINDOW = 512
OVERLAP = 0.25


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
    """Return megapixels a second of the same MONAI network slid over every pixel of tissue.

    As a careful user would run it: all threads, channels last, inference mode, batches of windows.
    """
    torch.set_num_threads(threads)
    # The same architecture for colours alone: at full resolution there are no shared features.
    network = build_network(read_card(find_model("demo")).network).eval()
    network = network.to(memory_format=torch.channels_last)
    pixels = open_pyramid(tile).read(0, left, top, Size(SAMPLE, SAMPLE))
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    image = image.contiguous(memory_format=torch.channels_last)
    inferer = SlidingWindowInferer(roi_size=(WINDOW, WINDOW), sw_batch_size=4, overlap=OVERLAP)
    with torch.inference_mode():
        inferer(image[..., :WINDOW, :WINDOW], network)
        started = time.perf_counter()
        inferer(image, network)
    return SAMPLE**2 / 1e6 / (time.perf_counter() - started)


def find_tissue_sample(regions: Sequence[Region], tile: Path) -> tuple[int, int]:
    """Return the corner of the region with the least glass, which is a sample of tissue alone."""
    pyramid = open_pyramid(tile)

    def glass(region: Region) -> float:
        size = Size(region.size.width // 16, region.size.height // 16)
        view = pyramid.read(4, region.left // 16, region.top // 16, size)
        return float((view.min(axis=2) > 235).mean())

    best = min(regions, key=glass)
    return best.left, best.top


def unwarp_with_scipy(predictions: Path) -> tuple[float, float, float]:
    """Return seconds of griddata and of unwarp for one region, and their largest difference.

    Where the samples leave a choice, Delaunay's triangles (which griddata takes) are not always
    those of the mesh, and both are right. The difference is taken where they are the same.
    """
    store = Predictions([predictions])
    prediction = store.read(store.regions[len(store.regions) // 2].index)
    scores = prediction.probability.astype(np.float32) / 255
    positions, size = prediction.positions, prediction.region.size
    unwarp(scores, positions, size)  # compiles
    started = time.perf_counter()
    ours = unwarp(scores, positions, size)
    ours_seconds = time.perf_counter() - started
    points = (positions.reshape(-1, 2).astype(float) + 1) * [size.width / 2, size.height / 2]
    columns, rows = np.meshgrid(np.arange(size.width) + 0.5, np.arange(size.height) + 0.5)
    values = scores.reshape(len(scores), -1).T
    started = time.perf_counter()
    theirs = griddata(points, values, (columns, rows), method="linear")
    scipy_seconds = time.perf_counter() - started
    triangles = Delaunay(points)
    simplex = triangles.find_simplex(np.stack([columns.ravel(), rows.ravel()], axis=1))
    main = build_mesh(scores, positions, size).main_diagonal[1:-1, 1:-1]
    same = (simplex >= 0) & _is_of_mesh(triangles.simplices, main)[simplex]
    difference = np.abs(np.moveaxis(theirs, -1, 0) - ours).reshape(len(scores), -1)
    return scipy_seconds, ours_seconds, float(difference[:, same].max())


def _is_of_mesh(simplices: NDArray[np.int32], main: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which triangles of samples are halves of the mesh's quadrilaterals."""
    rows, columns = np.divmod(simplices, main.shape[1] + 1)
    row, column = rows.min(axis=1), columns.min(axis=1)
    within = (np.ptp(rows, axis=1) == 1) & (np.ptp(columns, axis=1) == 1)
    # A half that holds both the upper left and the lower right corner lies on the main diagonal.
    upper_left = ((rows == row[:, None]) & (columns == column[:, None])).any(axis=1)
    lower_right = ((rows > row[:, None]) & (columns > column[:, None])).any(axis=1)
    place = np.minimum(row, main.shape[0] - 1), np.minimum(column, main.shape[1] - 1)
    return within & ((upper_left & lower_right) == main[place])
