"""A model run over a whole overview, tile by tile, instead of over the regions of a slide."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm import tqdm

from lds_path.geometry import Rectangle, Size
from lds_path.inference.region_tensors import check_finite
from lds_path.network.device import single_threaded
from lds_path.network.folding import fold_batch_norm
from lds_path.read_ahead import read_ahead

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from lds_path.network.segmenter import Segmenter


def classify_overview(
    segmenter: Segmenter, overview: NDArray[np.uint8], *, side: int, threads: int
) -> NDArray[np.uint8]:
    """Return the likeliest class of each pixel, (H, W).

    Tiles are twice as wide as the regions of the training. Of each, only what lies a quarter of a
    region from its edges is kept; beyond the overview its edge is repeated. Each tile is classified
    by itself on one thread, so that threads do not change a byte.

    Parameters
    ----------
    segmenter
        A network that sees a lattice of all pixels; its weights are arranged for inference.
    overview
        RGB, (H, W, 3).
    side
        Of the regions that it was trained on, in pixels.
    threads
        Tiles at a time.

    Raises
    ------
    ModelError
        If the scores are not finite numbers.
    """
    height, width, _ = overview.shape
    margin = side // 4
    fold_batch_norm(segmenter.network)
    segmenter.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    labels = np.empty((height, width), np.uint8)

    @torch.inference_mode()
    def work(core: Rectangle) -> tuple[Rectangle, NDArray[np.uint8]]:
        tile = _read_tile(overview, core, margin, 2 * side)
        scores = segmenter.classify(tile, tile.new_zeros(0))[0]  # (C, h, w)
        check_finite("scores", scores, f"pixel ({core.left}, {core.top}) of the overview")
        inner = scores[:, margin : margin + core.size.height, margin : margin + core.size.width]
        return core, (inner.argmax(dim=0) + 1).to(torch.uint8).numpy()

    whole = Rectangle.whole(Size(width, height))
    cores = list(whole.pieces(2 * (side - margin)))
    with single_threaded():
        results = read_ahead(work, cores, threads=threads, ahead=2 * threads)
        for core, found in tqdm(
            results, total=len(cores), unit="tile", desc="screen", disable=None
        ):
            labels[core.slices] = found
    return labels


def _read_tile(overview: NDArray[np.uint8], core: Rectangle, margin: int, side: int) -> Tensor:
    """Return a part of an overview and what is around it, (1, 3, side, side)."""
    rows, columns = (
        np.clip(np.arange(start - margin, start - margin + side), 0, end - 1)
        for start, end in ((core.top, overview.shape[0]), (core.left, overview.shape[1]))
    )
    pixels = overview[rows[:, None], columns]
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float()
