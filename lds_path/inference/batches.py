"""Regions in batches for a network, and predictions back in the order of the regions."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

from lds_path.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import torch

    from lds_path.formats.predictions import Prediction
    from lds_path.geometry import Region, Size

Item = TypeVar("Item")

log = logging.getLogger(__name__)
_WINDOW = 16  # batches among which regions of one lattice size are brought together
_MOST_SAMPLES, _MOST_REGIONS = 100_000, 8  # of a batch on a CPU


def cpu_batch_size(lattice: Size) -> int:
    """Return how many regions of a lattice a thread takes at once.

    A layer takes long to begin: 64 x 64 samples take a third of the time each if eight regions go
    through together. The number hangs on nothing but the lattice, since the sums of a layer hang on it.
    """
    return max(1, min(_MOST_SAMPLES // lattice.area, _MOST_REGIONS))


def batches_of(
    regions: Iterable[Region], batch_size: int
) -> Iterator[tuple[tuple[Region, ...], int]]:
    """Yield batches of regions of one size and lattice, and how many of each count.

    The last region of an incomplete batch is repeated to fill it.
    """
    remaining = iter(regions)
    while window := list(islice(remaining, _WINDOW * batch_size)):
        groups: dict[tuple[Size, Size], list[Region]] = {}
        for region in window:
            groups.setdefault((region.size, region.lattice), []).append(region)
        for group in groups.values():
            for start in range(0, len(group), batch_size):
                batch = group[start : start + batch_size]
                yield tuple(filled(batch, batch_size)), len(batch)


def filled(items: list[Item], count: int) -> list[Item]:
    """Return items and as many more of the last one as make a number of them."""
    return items + items[-1:] * (count - len(items))


def smaller_batch(size: int, region: Region, error: torch.OutOfMemoryError) -> int:
    """Return half as many regions as a GPU had no memory for, and say so.

    Raises
    ------
    UsageError
        If it was one region.
    """
    if size == 1:
        raise UsageError(
            "the memory of the GPU does not hold one region of"
            f" {region.size.width} x {region.size.height} pixels with"
            f" {region.lattice.width} x {region.lattice.height} samples; end other programs on the GPU,"
            " or set CUDA_VISIBLE_DEVICES to an empty text for the CPU"
            f" ({str(error).splitlines()[0]})"
        ) from error
    log.warning(
        "the memory of the GPU does not hold %d regions at once: %d at once from here on; to begin with"
        " that, set `segment: batch_size` to %d",
        size,
        size // 2,
        size // 2,
    )
    return size // 2


def in_order(predictions: Iterable[Prediction], regions: Sequence[Region]) -> Iterator[Prediction]:
    """Yield the predictions in the order of the regions."""
    waiting: dict[int, Prediction] = {}
    order = iter(regions)
    expected = next(order, None)
    for prediction in predictions:
        waiting[prediction.region.index] = prediction
        while expected is not None and expected.index in waiting:
            yield waiting.pop(expected.index)
            expected = next(order, None)
