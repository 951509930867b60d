"""Regions with their reference labels, read and kept in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from lds_path.geometry import Size, widen
from lds_path.inference.region_tensors import read_energies, read_region, read_view
from lds_path.learning.data.batches import Batch
from lds_path.network.benefit import round_trip_errors
from lds_path.network.losses import edge_density
from lds_path.network.motion import identity_motion
from lds_path.network.spec import lattices_on, levels_of
from lds_path.reference.legend import BACKGROUND

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from lds_path.formats.mask import Mask
    from lds_path.formats.pyramid import Pyramid
    from lds_path.geometry import Region
    from lds_path.network.spec import NetworkSpec
    from lds_path.reference.reference import Reference


@dataclass(frozen=True)
class LabelledRegion:
    """A region of a slide that has reference labels."""

    slide: str
    pyramid: Pyramid
    reference: Reference
    region: Region
    tissue: Mask | None = None
    """Where a label of the network counts; everywhere when None."""
    stands_for: float = 1.0
    """Number of regions in whose place it is scored."""


def read_labelled(
    labelled: LabelledRegion,
    spec: NetworkSpec,
    error_weights: Sequence[float] = (),
    *,
    margin: int = 0,
    for_scores: bool = False,
) -> Batch:
    """Return a region with its labels as a batch of one.

    Parameters
    ----------
    labelled
        The region.
    spec
        Of the network that will see it.
    error_weights
        What a wrong pixel of each class costs; all equal when empty.
    margin
        Working pixels that are read beyond each edge of the region, to cut regions out of.
    for_scores
        Return also where tissue has no label; there is no margin then.
    """
    region = labelled.region
    ladder = lattices_on(spec.ladder, region.size)
    # Shown at up to 1.33 times its size, a uniform grid reads one finer level and no more.
    finer = 2 if spec.uses_view else 1
    wanted = levels_of(region.size, [region.lattice, *ladder], finer=finer)
    region, multiple = widen(region, margin), spec.region_multiple
    ladder = [_grown(lattice, labelled.region.size, region.size) for lattice in ladder]
    labels = labelled.reference.read(region.left, region.top, region.size)
    cells = Size(region.size.width // multiple, region.size.height // multiple)
    classes = np.arange(1, spec.class_count + 1, dtype=np.uint8)
    fractions = _shares_at(labels == classes[:, None, None], wanted)
    bare = _is_bare_tissue(labelled, labels) if for_scores else None
    weights = torch.tensor(error_weights or (1.0,) * spec.class_count)
    errors, known = round_trip_errors(fractions, ladder, cells, weights)
    if spec.uses_view:
        view = read_view(labelled.pyramid, region, spec)[None]
        edges = edge_density(torch.from_numpy(labels)[None], cells)
    else:
        height, width = (2 * (side + 2 * spec.cell_margin) for side in (cells.height, cells.width))
        view = torch.zeros((1, 3, height, width), dtype=torch.uint8)
        edges = torch.zeros((1, 1, cells.height, cells.width))
    return Batch(
        view=view,
        levels=[read_region(labelled.pyramid, region, level)[None] for level in wanted],
        fractions=fractions,
        first_level=wanted.start,
        edges=edges,
        errors=errors,
        labelled=known,
        motion=identity_motion(1),
        texture=read_energies(labelled.pyramid, region, spec, wanted),
        unlabelled=[] if bare is None else _shares_at(bare[None], wanted),
    )


def margin_around(region: Region, spec: NetworkSpec, shift: float) -> int:
    """Return the margin within which a region may be shifted, in working pixels.

    It is a whole number of cells of the density map, and of pixels of the coarsest level that is read.

    Parameters
    ----------
    region
        Any of the regions.
    spec
        Of the network that will see them.
    shift
        Largest shift, as a fraction of the shorter side.
    """
    lattices = [region.lattice, *lattices_on(spec.ladder, region.size)]
    multiple = max(spec.region_multiple, 1 << (levels_of(region.size, lattices).stop - 1))
    side = min(region.size.width, region.size.height)
    return int(shift * side) // multiple * multiple


class RegionCache:
    """Labelled regions, kept in memory up to a bound; any thread may read."""

    def __init__(
        self,
        regions: Sequence[LabelledRegion],
        spec: NetworkSpec,
        *,
        mib: int,
        error_weights: Sequence[float] = (),
        margin: int = 0,
        for_scores: bool = False,
    ) -> None:
        self.regions, self.margin = regions, margin
        self._read = partial(
            read_labelled,
            spec=spec,
            error_weights=error_weights,
            margin=margin,
            for_scores=for_scores,
        )
        self._bytes_left = mib * 2**20
        self._kept: OrderedDict[int, Batch] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.regions)

    def read(self, index: int) -> Batch:
        """Return a region and its margin as a batch of one; the least recently used is dropped."""
        with self._lock:
            if index in self._kept:
                self._kept.move_to_end(index)
                return self._kept[index]
        batch = self._read(self.regions[index])
        with self._lock:
            if index not in self._kept:
                self._kept[index] = batch
                self._bytes_left -= batch.bytes
            while self._bytes_left < 0 and self._kept:
                _, dropped = self._kept.popitem(last=False)
                self._bytes_left += dropped.bytes
        return batch


def _grown(lattice: Size, size: Size, wide: Size) -> Size:
    """Return the lattice that has the same pitch on a wider region."""
    return Size(
        lattice.width * wide.width // size.width, lattice.height * wide.height // size.height
    )


def _shares_at(masks: NDArray[np.bool_], levels: range) -> list[Tensor]:
    """Return the covered area share of masks, (C, H, W), at some levels, (1, C, h, w), uint8."""
    images = [Image.fromarray(255 * mask.astype(np.uint8)) for mask in masks]
    return [
        torch.from_numpy(np.stack([np.asarray(image.reduce(1 << level)) for image in images]))[None]
        for level in levels
    ]


def _is_bare_tissue(labelled: LabelledRegion, labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where tissue has no label, (H, W)."""
    region = labelled.region
    bare: NDArray[np.bool_] = labels == BACKGROUND
    if labelled.tissue is not None:
        bare &= labelled.tissue.read(region.left, region.top, region.size)
    return bare
