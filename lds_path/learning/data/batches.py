"""Labelled regions in batches: what a step of the training sees."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import torch

from lds_path.geometry import Size
from lds_path.learning.data.balance import draw_regions
from lds_path.learning.streams import stream
from lds_path.network.spec import levels_of
from lds_path.read_ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from lds_path.learning.data.labelled_regions import RegionCache


@dataclass(frozen=True)
class Batch:
    """Regions of one size with their labels; the first axis counts them."""

    view: Tensor
    """Coarse view with its margin, (B, 3, H, W), uint8; black if the network has no use for it."""
    levels: list[Tensor]
    """Pyramid, finest level first, (B, 3, H, W), uint8."""
    first_level: int
    """Number of the finest of these levels."""
    fractions: list[Tensor]
    """Area share of each class at the same levels, (B, C, H, W), uint8, 255 is all."""
    edges: Tensor
    """Class boundaries per cell of the density map, (B, 1, hd, wd), float32; none if the network has
    no use for it."""
    errors: Tensor
    """What each lattice of the ladder costs each cell, (B, rungs, hd, wd), float32."""
    labelled: Tensor
    """Labelled share of each cell, (B, 1, hd, wd), float32."""
    motion: Tensor
    """Motion of view and cells relative to levels and fractions, see `network.motion`."""
    texture: list[Tensor] = field(default_factory=list)
    """Levels of texture, (B, 9, H, W), float32, see `network.texture`; none for a network without."""
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
        finest = max(wanted.start, self.first_level)
        part = slice(finest - self.first_level, wanted.stop - self.first_level)
        return replace(
            self,
            levels=self.levels[part],
            fractions=self.fractions[part],
            unlabelled=self.unlabelled[part],
            first_level=finest,
        )

    def cut_out(self, x: int, y: int, size: Size) -> Batch:
        """Return a part of the regions that has their margin's view around it.

        Parameters
        ----------
        x, y
            Its corner, in cells of the density map.
        size
            Its extent, in cells.
        """
        rows, columns = self.edges.shape[2:]

        def cut(tensor: Tensor) -> Tensor:
            below, right = rows - y - size.height, columns - x - size.width
            if tensor is self.view:  # two pixels a cell, and more around them
                height, width = tensor.shape[2:]
                return tensor[..., 2 * y : height - 2 * below, 2 * x : width - 2 * right]
            high, wide = tensor.shape[2] / rows, tensor.shape[3] / columns
            top, left = round(y * high), round(x * wide)
            return tensor[
                ..., top : top + round(size.height * high), left : left + round(size.width * wide)
            ]

        return self._map(cut)

    def to(self, device: torch.device) -> Batch:
        """Return the batch on another device."""
        moved = self._map(lambda tensor: tensor.to(device, non_blocking=device.type == "cuda"))
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
        texture = zip(*(batch.texture for batch in batches), strict=True)
        return Batch(
            view=torch.cat(views),
            levels=[torch.cat(level) for level in levels],
            fractions=[torch.cat(level) for level in fractions],
            first_level=batches[0].first_level,
            edges=torch.cat([batch.edges for batch in batches]),
            errors=torch.cat([batch.errors for batch in batches]),
            labelled=torch.cat([batch.labelled for batch in batches]),
            motion=torch.cat([batch.motion for batch in batches]),
            texture=[torch.cat(level) for level in texture],
        )

    def _tensors(self) -> list[Tensor]:
        levels = (*self.levels, *self.fractions, *self.texture, *self.unlabelled)
        return [self.view, *levels, self.edges, self.errors, self.labelled]

    def _map(self, transform: Callable[[Tensor], Tensor]) -> Batch:
        return replace(
            self,
            view=transform(self.view),
            levels=[transform(level) for level in self.levels],
            fractions=[transform(level) for level in self.fractions],
            texture=[transform(level) for level in self.texture],
            unlabelled=[transform(level) for level in self.unlabelled],
            edges=transform(self.edges),
            errors=transform(self.errors),
            labelled=transform(self.labelled),
        )


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
        regions = [_shift(cache.read(index), cache.margin, random) for index in chosen]
        wanted = lattices(step, regions[0].size)
        return Batch.join([move(region.for_lattices(*wanted), random) for region in regions])

    # Threads of their own in each reading thread would slow down every step, even when idle.
    return read_ahead(
        make_batch, steps, threads=threads, ahead=2, initializer=partial(torch.set_num_threads, 1)
    )


def _shift(batch: Batch, margin: int, random: np.random.Generator) -> Batch:
    """Return the region of a batch of one with a margin, moved within that margin."""
    if not margin:
        return batch
    rows, columns = batch.edges.shape[2:]
    cell = batch.size.width // columns
    multiple = max(1, 2 ** (batch.first_level + len(batch.levels) - 1) // cell)
    steps = 2 * margin // (cell * multiple)
    x, y = (multiple * random.integers(0, steps + 1, 2)).tolist()
    return batch.cut_out(x, y, Size(columns - 2 * margin // cell, rows - 2 * margin // cell))
