"""How many pixels of labelled regions have each label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lds_path.geometry import Size
from lds_path.read_ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from lds_path.learning.data.labelled_regions import LabelledRegion

_MOST_AT_ONCE = 16
"""Regions of a row whose labels are read as one window: a file is opened for each window."""


def count_labels(
    regions: Sequence[LabelledRegion], *, threads: int = 1
) -> Iterator[NDArray[np.int64]]:
    """Yield for each region how many of its pixels have each label value, (256,)."""
    runs = list(_runs(regions))
    for counts in read_ahead(_count_run, runs, threads=threads, ahead=4 * threads):
        yield from counts


def _runs(regions: Sequence[LabelledRegion]) -> Iterator[list[LabelledRegion]]:
    """Yield consecutive regions of one slide that continue each other in a row."""
    run: list[LabelledRegion] = []
    for labelled in regions:
        if run and not (len(run) < _MOST_AT_ONCE and _continues(run[-1], labelled)):
            yield run
            run = []
        run.append(labelled)
    if run:
        yield run


def _continues(last: LabelledRegion, following: LabelledRegion) -> bool:
    before, after = last.region, following.region
    return (
        last.reference is following.reference
        and (before.top, before.size) == (after.top, after.size)
        and before.left <= after.left <= before.left + before.size.width
    )


def _count_run(run: Sequence[LabelledRegion]) -> list[NDArray[np.int64]]:
    first, last = run[0].region, run[-1].region
    size = Size(last.left + last.size.width - first.left, first.size.height)
    window = run[0].reference.read(first.left, first.top, size)
    starts = [labelled.region.left - first.left for labelled in run]
    parts = (window[:, start : start + first.size.width] for start in starts)
    return [np.bincount(part.ravel(), minlength=256) for part in parts]
