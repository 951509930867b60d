"""Which levels of a pyramid are stored for a model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lds_path.models.working import TYPICAL_ZOOM, finest_sampled
from lds_path.options.slides import MAX_FINEST

if TYPE_CHECKING:
    from lds_path.network.spec import NetworkSpec

WHOLE_SLIDE_MPP = 4.0
"""Stages that look at the whole slide read pixels of this size or larger ones."""
TRAINING_ZOOM = 4.0
"""The levels that a training reads serve samples this much closer, see `levels_around`."""


def finest_level(
    network: NetworkSpec,
    *,
    mpp: float,
    region_size: int,
    lattice: int,
    tissue_mpp: float,
    overview: bool = False,
    trains: bool = False,
) -> int:
    """Return the finest level that is stored for a model; finer ones are read from the slide.

    The samples of a ready model rarely lie more than twice as close as in the uniform grid. A
    training reads all levels of its regions, some of them many times.

    Parameters
    ----------
    network
        Of the model.
    mpp
        Working microns per pixel.
    region_size, lattice
        Working pixels and samples per side of a region.
    tissue_mpp
        Microns per pixel at which tissue is looked for.
    overview
        Whether the samples are read from the slide, too, so that the pyramid takes the least room.
    trains
        Whether the model is trained on these pyramids.
    """
    whole_slide = round(math.log2(min(tissue_mpp, WHOLE_SLIDE_MPP) / mpp))
    finest = min(whole_slide, MAX_FINEST)
    if not overview:
        zoom = TRAINING_ZOOM if trains else TYPICAL_ZOOM
        finest = min(finest, finest_sampled(network, region_size, lattice, zoom=zoom))
    return max(finest, 0)
