"""Labelled regions in batches: what a step of the training sees."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import torch

from lds_path.geometry import Size
from lds_path.inference.region_tensors import read_region, read_view, to_uint8
from lds_path.learning.balance import draw_regions
from lds_path.learning.streams import stream
from lds_path.network.benefit import round_trip_errors
from lds_path.network.losses import edge_density
from lds_path.network.motion import identity_motion
from lds_path.network.spec import lattices_on, levels_of
from lds_path.network.warp import halve, label_fractions
from lds_path.read_ahead import read_ahead
from lds_path.reference.legend import BACKGROUND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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


@dataclass(frozen=True)
class Batch:
    """Regions of one size with their labels; the first axis counts them."""

    view: Tensor
    """Coarse view with its margin, (B, 3, H, W), uint8."""
    levels: list[Tensor]
    """Pyramid, finest level first, (B, 3, H, W), uint8."""
    first_level: int
    """Number of the finest of these levels."""
    fractions: list[Tensor]
    """Area share of each class at the same levels, (B, C, H, W), uint8, 255 is all."""
    edges: Tensor
    """Class boundaries per cell of the density map, (B, 1, hd, wd), float32."""
    errors: Tensor
    """What each lattice of the ladder costs each cell, (B, rungs, hd, wd), float32."""
    labelled: Tensor
    """Labelled share of each cell, (B, 1, hd, wd), float32."""
    motion: Tensor
    """Motion of view and cells relative to levels and fractions, see `network.motion`."""
    unlabelled: list[Tensor] = field(default_factory=list)
    """Area share of tissue without a label, where any class is wrong, at the same levels,
    (B, 1, H, W), uint8; no levels in a training, which does not learn from it."""

    @property
    def size(self) -> Size:
        """Size of the regions, in working pixels."""
        height, width = self.levels[0].shape[2:]
        return Size(width << self.first_level, height << self.first_level)

    def for_lattices(self, *lattices: Size) -> Batch:
        """Return the batch with only the levels that samples on these lattices are read from."""
        wanted = levels_of(self.size, lattices)
        part = slice(wanted.start - self.first_level, wanted.stop - self.first_level)
        return replace(
            self,
            levels=self.levels[part],
            fractions=self.fractions[part],
            unlabelled=self.unlabelled[part],
            first_level=wanted.start,
        )

    def to(self, device: torch.device) -> Batch:
        """Return the batch on another device."""
        moved = self._map(lambda tensor: tensor.to(device, non_blocking=True))
        return replace(moved, motion=self.motion.to(device))

    def oriented(self, orientation: int) -> Batch:
        """Return the batch in one of 8 orientations, before it is moved.

        Orientation 0 changes nothing; 0, 2, 4 and 6 keep width and height.
        """

        def orient(tensor: Tensor) -> Tensor:
            tensor = tensor.flip(-1) if orientation >= 4 else tensor
            return torch.rot90(tensor, orientation % 4, (-2, -1)) if orientation % 4 else tensor

        return self._map(orient)

    @property
    def bytes(self) -> int:
        """Memory of all tensors."""
        return sum(tensor.nbytes for tensor in self._tensors())

    @staticmethod
    def join(batches: Sequence[Batch]) -> Batch:
        """Return the regions of several batches as one."""
        views = [batch.view for batch in batches]
        levels = zip(*(batch.levels for batch in batches), strict=True)
        fractions = zip(*(batch.fractions for batch in batches), strict=True)
        return Batch(
            view=torch.cat(views),
            levels=[torch.cat(level) for level in levels],
            fractions=[torch.cat(level) for level in fractions],
            first_level=batches[0].first_level,
            edges=torch.cat([batch.edges for batch in batches]),
            errors=torch.cat([batch.errors for batch in batches]),
            labelled=torch.cat([batch.labelled for batch in batches]),
            motion=torch.cat([batch.motion for batch in batches]),
        )

    def _tensors(self) -> list[Tensor]:
        levels = (*self.levels, *self.fractions, *self.unlabelled)
        return [self.view, *levels, self.edges, self.errors, self.labelled]

    def _map(self, transform: Callable[[Tensor], Tensor]) -> Batch:
        return replace(
            self,
            view=transform(self.view),
            levels=[transform(level) for level in self.levels],
            fractions=[transform(level) for level in self.fractions],
            unlabelled=[transform(level) for level in self.unlabelled],
            edges=transform(self.edges),
            errors=transform(self.errors),
            labelled=transform(self.labelled),
        )


def read_labelled(
    labelled: LabelledRegion,
    spec: NetworkSpec,
    error_weights: Sequence[float] = (),
    *,
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
    for_scores
        Return also where tissue has no label.
    """
    region = labelled.region
    ladder = lattices_on(spec.ladder, region.size)
    wanted = levels_of(region.size, [region.lattice, *ladder])
    labels = torch.from_numpy(labelled.reference.read(region.left, region.top, region.size))[None]
    multiple = spec.region_multiple
    cells = Size(region.size.width // multiple, region.size.height // multiple)
    fractions = _shares_at(label_fractions(labels, spec.class_count), wanted)
    bare = _is_bare_tissue(labelled, labels) if for_scores else None
    weights = torch.tensor(error_weights or (1.0,) * spec.class_count)
    errors, known = round_trip_errors(fractions, ladder, cells, weights)
    return Batch(
        view=read_view(labelled.pyramid, region, spec)[None],
        levels=[read_region(labelled.pyramid, region, level)[None] for level in wanted],
        fractions=fractions,
        first_level=wanted.start,
        edges=edge_density(labels, cells),
        errors=errors,
        labelled=known,
        motion=identity_motion(1),
        unlabelled=[] if bare is None else _shares_at(bare, wanted),
    )


class RegionCache:
    """Labelled regions, kept in memory up to a bound; any thread may read."""

    def __init__(
        self,
        regions: Sequence[LabelledRegion],
        spec: NetworkSpec,
        *,
        mib: int,
        error_weights: Sequence[float] = (),
        for_scores: bool = False,
    ) -> None:
        self.regions = regions
        self._read = partial(
            read_labelled, spec=spec, error_weights=error_weights, for_scores=for_scores
        )
        self._bytes_left = mib * 2**20
        self._kept: OrderedDict[int, Batch] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self.regions)

    def read(self, index: int) -> Batch:
        """Return a region as a batch of one; the least recently used is dropped first."""
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


def training_batches(
    cache: RegionCache,
    chances: NDArray[np.float64],
    *,
    steps: range,
    batch_size: int,
    seed: int,
    threads: int,
    lattices: Callable[[int, Size], Sequence[Size]],
    move: Callable[[Batch, np.random.Generator], Batch],
) -> Iterator[Batch]:
    """Yield batches of regions; a batch depends only on the seed and its number.

    Parameters
    ----------
    cache
        The regions.
    chances
        Probability of each region.
    steps
        Numbers of the batches.
    batch_size
        Regions in each.
    seed
        Of the draws.
    threads
        Number of reading threads.
    lattices
        Returns for the number of a batch and the size of its regions the lattices that it will be
        sampled on; the batch has only the levels for these.
    move
        Returns a batch of one as training sees it.
    """

    def make_batch(step: int) -> Batch:
        chosen = draw_regions(chances, batch_size=batch_size, seed=seed, step=step).tolist()
        random = stream(seed, "motion", step)
        regions = [cache.read(index) for index in chosen]
        wanted = lattices(step, regions[0].size)
        return Batch.join([move(region.for_lattices(*wanted), random) for region in regions])

    return read_ahead(make_batch, steps, threads=threads, ahead=2)


def class_counts(labelled: LabelledRegion) -> NDArray[np.int64]:
    """Return how many pixels of a region have each label value, (256,)."""
    region = labelled.region
    labels = labelled.reference.read(region.left, region.top, region.size)
    counts: NDArray[np.int64] = np.bincount(labels.ravel(), minlength=256)
    return counts


def _shares_at(shares: Tensor, levels: range) -> list[Tensor]:
    """Return area shares, (B, C, H, W) in [0, 1], at some levels, as uint8."""
    finest = halve(255 * shares, levels.start + 1)[-1]
    return [to_uint8(level) for level in halve(finest, len(levels))]


def _is_bare_tissue(labelled: LabelledRegion, labels: Tensor) -> Tensor:
    """Return where tissue has no label, (1, 1, H, W), as float."""
    region, bare = labelled.region, labels[None] == BACKGROUND
    if labelled.tissue is not None:
        tissue = labelled.tissue.read(region.left, region.top, region.size)
        bare = bare & torch.from_numpy(tissue)
    return bare.float()
