"""What no network can beat: the reference labels carried to the sampling grids and back.

No training; samples lie where the labels themselves ask for them (oracles).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import tifffile
import torch
from PIL import Image
from sets import SETS, WORKING_MPP, class_names, count_images, read_layouts, slides_of

from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.geometry import Size
from lds_path.inference.allocation import allocate
from lds_path.learning.fit import error_weights
from lds_path.network.grid import sampling_grid
from lds_path.network.losses import edge_density, target_density
from lds_path.reference.scores import count_confusion, overlap_of
from lds_path.unwarp.blend import unwarp
from lds_path.unwarp.round_trip import lattice_shares

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sets import Layout

    from lds_path.geometry import Region

_ERROR_POWER = 0.5
_VIEW_LEVEL = 4
_LAYOUTS = ("whole", "fine", "parts")


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Prepared set.")
@click.option("--name", required=True, help="Of the set.")
@click.option("--output", type=click.Path(path_type=Path), required=True, help="JSON.")
@click.option("--split", default="test", show_default=True)
def main(data: Path, name: str, output: Path, split: str) -> None:
    """Write the ceilings of a set: mIoU of uniform grids, and of oracles of warp and allocation."""
    found = []
    for layout in _LAYOUTS:
        one = read_layouts(name)[layout]
        images = _images(data, layout, split)
        ladder = one.train.get("ladder", (max(one.lattice.width, one.lattice.height),))
        for warped in (False, True):
            tables = [
                round_trips(_read(labels, name), regions, ladder, name, one, warped=warped)
                for labels, regions in images
            ]
            confusions = np.concatenate(tables)  # (regions, rungs, C + 1, C + 1)
            count = count_images(name, split)
            found += _scores(confusions, layout, one, ladder, count, warped=warped)
    output.write_text(json.dumps({"set": name, "ceilings": found}, indent=1), encoding="utf-8")


def round_trips(
    labels: NDArray[np.uint8],
    regions: Sequence[Region],
    ladder: Sequence[int],
    name: str,
    layout: Layout,
    *,
    warped: bool,
) -> NDArray[np.int64]:
    """Return the confusion of each region on each rung, (regions, rungs, C + 1, C + 1)."""
    rows = []
    for region in regions:
        across, down = region.size.width, region.size.height
        truth = labels[region.top : region.top + down, region.left : region.left + across]
        truth = np.pad(truth, ((0, down - truth.shape[0]), (0, across - truth.shape[1])))
        rows.append([_round_trip(truth, side, name, layout, warped=warped) for side in ladder])
    return np.array(rows)


def _round_trip(
    truth: NDArray[np.uint8], side: int, name: str, layout: Layout, *, warped: bool
) -> NDArray[np.int64]:
    height, width = truth.shape
    longer = max(width, height)
    lattice = Size(side * width // longer, side * height // longer)
    count = len(class_names(name))
    density = torch.ones(1, 1, 2, 2)
    if warped:
        density = _oracle(truth, layout)
    grid = sampling_grid(
        density,
        lattice,
        sampler="knothe-rosenblatt" if warped else "uniform",
        kernel_width=0.1,
        smoothing=0.03,
        max_zoom=None,
    )[0].numpy()
    back = unwarp(lattice_shares(truth, grid, count + 1), grid, Size(width, height))
    return count_confusion(truth[truth > 0], back.argmax(axis=0).astype(np.uint8)[truth > 0], count)


def _oracle(truth: NDArray[np.uint8], layout: Layout) -> torch.Tensor:
    """Return the density that the labels' edges ask for, on the cells that a training has."""
    multiple = 2 ** (layout.train.get("view_level", _VIEW_LEVEL) + 1)
    cells = Size(truth.shape[1] // multiple, truth.shape[0] // multiple)
    labels = torch.from_numpy(np.ascontiguousarray(truth))[None]
    return target_density(edge_density(labels, cells))


def _scores(
    confusions: NDArray[np.int64],
    layout: str,
    one: Layout,
    ladder: Sequence[int],
    image_count: int,
    *,
    warped: bool,
) -> list[dict[str, object]]:
    """Return the mIoU with the layout's own lattice everywhere, and with each budget shared out."""
    counts = confusions[:, 0].sum(axis=2)[:, 1:]  # pixels of each class, (regions, C)
    cost = np.array(error_weights(np.maximum(counts, 0) + 1e-9, _ERROR_POWER))
    wrong = confusions[:, :, 1:, 1:] * (cost[:, None] + cost) / 2
    errors = wrong.sum(axis=(2, 3)) - np.einsum("rkcc->rk", wrong)  # (regions, rungs)
    own = list(ladder).index(max(one.lattice.width, one.lattice.height))
    area = one.lattice.width * one.lattice.height / ladder[own] ** 2
    samples = np.array([int(side**2 * area) for side in ladder])
    everywhere = np.full(len(confusions), own)
    ways = [("equal", ladder[own], everywhere)] + [
        ("shared out", budget, allocate(errors, samples, len(confusions) * budget**2))
        for budget in one.budgets
    ]
    return [
        {
            "layout": layout,
            "warp": warped,
            "way": way,
            "side": side,
            "samples": round(samples[rungs].sum() / image_count),
            "iou": overlap_of(confusions[np.arange(len(rungs)), rungs].sum(axis=0)).iou().tolist(),
        }
        for way, side, rungs in ways
    ]


def _images(data: Path, layout: str, split: str) -> list[tuple[Path, list[Region]]]:
    return [
        (labels, read_regions(data / "detect" / layout / slide / REGIONS_NAME))
        for slide, labels in slides_of(data, split).items()
    ]


def _read(labels: Path, name: str) -> NDArray[np.uint8]:
    """Return the labels at the working pixels, (H, W)."""
    if name not in SETS:
        painted: NDArray[np.uint8] = tifffile.imread(labels)
        return painted
    step = round(WORKING_MPP / SETS[name].image_mpp)
    with Image.open(labels) as image:
        return np.asarray(image)[::step, ::step]


if __name__ == "__main__":
    main()
