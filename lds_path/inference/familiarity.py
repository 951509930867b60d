"""What a model learned from, as colours and as its own deepest features, and what differs from it."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import nn
from tqdm import tqdm

from lds_path.errors import ModelError
from lds_path.formats.regions import spread_evenly
from lds_path.formats.spread import Familiarity, measure_spread
from lds_path.geometry import Size
from lds_path.inference.region_tensors import read_energies, read_region, read_view
from lds_path.network.device import single_threaded
from lds_path.network.spec import levels_around
from lds_path.pixels.stains import WINDOW_MPP, WINDOW_SIDE, window_colours

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from lds_path.formats.pyramid import Pyramid
    from lds_path.formats.spread import Spread
    from lds_path.geometry import Region
    from lds_path.network.segmenter import Segmenter

PATCHES = 4
"""The features of a region are averaged in so many squares along each side."""
MAX_REGIONS = 64
"""Regions of a split that are measured, spread evenly."""
COMPARED = 8
"""Regions on the model's own lattice that are enough to compare a slide."""


class DeepFeatures:
    """The deepest features of a segmentation network while it runs; a context manager.

    They are those of the last block whose output is coarsest, whatever the architecture: that which
    sees most of the region. Any thread may run the network, and takes its own features.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self._network = segmenter.network
        self._block, self.count = _find_deepest(segmenter)
        self._output = threading.local()

    def __enter__(self) -> Self:
        self._hook = self._block.register_forward_hook(self._keep)
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()

    def take(self) -> NDArray[np.float32]:
        """Return the features of this thread's last batch, (B, patches, F)."""
        pooled = F.adaptive_avg_pool2d(self._output.value.float(), PATCHES)
        features: NDArray[np.float32] = pooled.flatten(2).transpose(1, 2).cpu().numpy()
        return features

    def _keep(self, _block: nn.Module, _inputs: object, output: Tensor) -> None:
        self._output.value = output.detach()


@dataclass
class Watch:
    """Compares the patches of regions with what a model learned from, as it runs."""

    features: DeepFeatures
    spread: Spread
    lattice: Size
    """Regions on another one are left out: it changes the features of the same tissue; see `further_regions`."""
    unlike: dict[int, int] = field(default_factory=dict)
    """Index of a region -> number of its patches that look unlike it."""
    distances: dict[int, NDArray[np.float64]] = field(default_factory=dict)
    """Index of a region -> how far each of its patches is from it, see `Spread.scaled`."""

    def __post_init__(self) -> None:
        if len(self.spread.mean) != self.features.count:
            raise ModelError(
                f"the model's familiarity is that of {len(self.spread.mean)} features, but its"
                f" network has {self.features.count}; copy model.json and its weights from the same"
                " training"
            )

    def note(self, regions: Sequence[Region]) -> None:
        """Compare the regions of the batch that the network just saw."""
        for region, values in zip(regions, self.features.take(), strict=False):
            if region.lattice == self.lattice:
                self.unlike[region.index] = self.spread.beyond(values)
                self.distances[region.index] = self.spread.scaled(values)


@contextmanager
def watched(
    segmenter: Segmenter, familiarity: Familiarity | None, lattice: Size
) -> Iterator[Watch | None]:
    """Compare what a network sees on a lattice with what it learned from; None if that is not known."""
    if familiarity is None or familiarity.features is None:
        yield None
        return
    with DeepFeatures(segmenter) as features:
        yield Watch(features, familiarity.features, lattice)


def further_regions(table: Sequence[Region], size: Size, lattice: Size) -> list[Region]:
    """Return regions of a slide to compare too, where few are on the model's own lattice; with that lattice.

    Parameters
    ----------
    table
        All regions of the slide, as they are segmented.
    size, lattice
        Of the regions that the model learned from; regions of another size look different, and are left out.
    """
    missing = max(COMPARED - sum(region.lattice == lattice for region in table), 0)
    others = [region for region in table if region.lattice != lattice and region.size == size]
    return [replace(region, lattice=lattice) for region in spread_evenly(others, missing)]


@torch.inference_mode()
def measure_familiarity(
    segmenter: Segmenter,
    learned: Sequence[tuple[Pyramid, Region]],
    held_out: Sequence[tuple[Pyramid, Region]],
    *,
    stain_jitter: float = 0.0,
) -> Familiarity:
    """Return what the training regions of a model look like.

    Parameters
    ----------
    segmenter
        The model.
    learned
        Regions that it learned from.
    held_out
        Regions of the same kind that it did not learn from, perhaps none.
    stain_jitter
        Spread of the factors on optical density that it was trained to put up with.
    """
    segmenter.eval()
    splits = [spread_evenly(regions, MAX_REGIONS) for regions in (learned, held_out)]
    colours = [_read_colours(regions) for regions in splits]
    with DeepFeatures(segmenter) as features:
        deep = [_run(segmenter, features, regions) for regions in splits]
    return Familiarity(
        measure_spread(*colours, tolerance=stain_jitter),
        measure_spread(*deep),
    )


def _find_deepest(segmenter: Segmenter) -> tuple[nn.Module, int]:
    """Return the last block of a network whose output is coarsest, and its channels.

    Single layers are left out: one that is folded into another for inference is replaced. So are
    outputs of one pixel, which summarise the whole image, as squeeze and excitation does.
    """
    found: list[tuple[int, nn.Module, int]] = []

    def look(block: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, torch.Tensor) and output.ndim == 4 and output.shape[2] > 1:
            found.append((output.shape[2] * output.shape[3], block, output.shape[1]))

    network, spec = segmenter.network, segmenter.spec
    blocks = [block for block in network.modules() if any(True for _ in block.children())]
    hooks = [block.register_forward_hook(look) for block in blocks]
    weight = next(network.parameters())
    side = 2 * spec.lattice_multiple
    training = network.training
    network.eval()
    with torch.inference_mode(), single_threaded():
        network(weight.new_zeros((1, segmenter.input_count, side, side)))
    network.train(training)
    for hook in hooks:
        hook.remove()
    coarsest = min(area for area, _, _ in found)
    _, block, count = [entry for entry in found if entry[0] == coarsest][-1]
    return block, count


def _run(
    segmenter: Segmenter, features: DeepFeatures, regions: Sequence[tuple[Pyramid, Region]]
) -> NDArray[np.float32]:
    """Return the features of all patches of regions, (N, F)."""
    spec, device = segmenter.spec, segmenter.mean.device
    rows = [np.zeros((0, features.count), np.float32)]
    bar = tqdm(regions, unit="region", desc="familiarity", disable=None)
    for pyramid, region in bar:
        wanted = levels_around(region.size, region.lattice)
        levels = [read_region(pyramid, region, level)[None].to(device) for level in wanted]
        texture = [level.to(device) for level in read_energies(pyramid, region, spec, wanted)]
        view = read_view(pyramid, region, spec)[None].to(device)
        segmenter(view, levels, region.lattice, texture=texture)
        rows.append(features.take()[0])
    return np.concatenate(rows)


def _read_colours(regions: Sequence[tuple[Pyramid, Region]]) -> NDArray[np.float32]:
    """Return the colours of windows of tissue in regions, (N, 6)."""
    windows = [window for pyramid, region in regions for window in _windows(pyramid, region)]
    return window_colours(windows)


def _windows(pyramid: Pyramid, region: Region) -> Iterator[NDArray[np.uint8]]:
    """Yield up to four windows of a region, such as a slide is judged by."""
    level = pyramid.level_near(WINDOW_MPP)
    left, top, width, height = (
        side >> level for side in (region.left, region.top, region.size.width, region.size.height)
    )
    size = Size(min(WINDOW_SIDE, width), min(WINDOW_SIDE, height))
    for column, row in ((1, 1), (3, 1), (1, 3), (3, 3)):
        x, y = (
            start + min(max(length * place // 4 - side // 2, 0), length - side)
            for start, length, side, place in (
                (left, width, size.width, column),
                (top, height, size.height, row),
            )
        )
        yield pyramid.read(level, x, y, size)
