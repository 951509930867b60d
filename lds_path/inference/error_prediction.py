"""Prediction of the error of each region of a slide on each lattice of the ladder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from tqdm import tqdm

from lds_path.geometry import Size
from lds_path.inference.region_tensors import check_finite, read_view
from lds_path.network.device import single_threaded
from lds_path.read_ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lds_path.formats.mask import Mask
    from lds_path.formats.pyramid import Pyramid
    from lds_path.geometry import Region
    from lds_path.network.scout import Scout


def predict_errors(
    scout: Scout,
    pyramid: Pyramid,
    tissue: Mask,
    regions: Sequence[Region],
    *,
    threads: int,
) -> NDArray[np.float64]:
    """Return the error that the network predicts, (regions, rungs), in working pixels of tissue.

    Pixels are weighted by class, as in the training of the model. Each region is processed by itself,
    so that its result does not depend on others.
    """
    multiple = scout.spec.region_multiple

    @torch.inference_mode()
    def work(region: Region) -> NDArray[np.float64]:
        view = read_view(pyramid, region, scout.spec)[None]
        predicted = scout.predict_errors(view)[0]  # (rungs, hd, wd)
        check_finite("expected errors", predicted, f"region {region.index}")
        errors = predicted.double().numpy()
        cells = Size(errors.shape[2], errors.shape[1])
        inside = tissue.read(region.left, region.top, cells, scale=multiple)
        error: NDArray[np.float64] = (errors * inside).sum(axis=(1, 2)) * multiple**2
        return error

    with single_threaded():
        results = read_ahead(work, regions, threads=threads, ahead=2 * threads)
        bar = tqdm(results, total=len(regions), unit="region", desc="plan", disable=None)
        return np.stack(list(bar))
