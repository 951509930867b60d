"""The figures of `how-it-works.md`: a region, its density map, the grid, and what the network sees.

    python docs/figures.py --folder build/figures

Paints a slide, segments it with the shipped model `demo`, and draws one region of it from the files that
the stages leave.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import torch

import lds_path as lds
from lds_path.formats.predictions import PREDICTIONS_NAME, Prediction, Predictions
from lds_path.network.warp import warp
from lds_path.options.slides import DemoOptions
from lds_path.stages.demo import SLIDE_NAME, demo

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

DOCS = Path(__file__).parent
SEED = 101
"""A slide that the model did not learn from, as in `make demo`."""
REGION = 1
LEVELS = 5
"""Of the pyramid, which the warp chooses from."""
EVERY = 4
"""Lines of the grid that are drawn."""
SIDE = 4.2
"""Inches of a picture, at 100 dots per inch."""


def main() -> None:
    """Segment a painted slide and write the figures."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="Scratch folder.")
    folder = parser.parse_args().folder
    slide = folder / "demo" / SLIDE_NAME
    if not slide.is_file():
        demo(folder / "demo", options=DemoOptions(seed=SEED))
    result = lds.segment(
        slide, model="demo", output=folder / "results", options={"plan": {"budget": 128}}
    )
    with Predictions(sorted((folder / "results/segment").glob(f"*/*/{PREDICTIONS_NAME}"))) as read:
        prediction = read.read(REGION)
    draw(result, prediction)


def draw(result: lds.Result, prediction: Prediction) -> None:
    """Write the three figures of a region."""
    levels = [read_region(result.pyramid, prediction, level) for level in range(LEVELS)]
    image = levels[2].transpose(1, 2, 0)
    colors = np.full((256, 3), 255, np.uint8)
    for item in result.classes:
        colors[item.value] = item.color
    seen = warp([torch.from_numpy(level[None]) for level in levels],
                torch.from_numpy(prediction.positions[None]))  # fmt: skip
    on_lattice = colors[prediction.probability.argmax(axis=0) + 1]
    labels = colors[read_region(result.labels, prediction, 0)]

    _, (left, right) = side_by_side("The region", "Density: where samples are worth most")
    left.imshow(image)
    right.imshow(np.log2(prediction.density.astype(np.float32)), cmap="viridis")
    save("method-density.jpg")

    _, (left, right) = side_by_side("The grid that follows", "A uniform grid of as many samples")
    for axes, positions in ((left, prediction.positions), (right, uniform(prediction))):
        axes.imshow(image)
        draw_grid(axes, positions, len(image))
    save("method-grid.jpg")

    _, (left, middle, right) = side_by_side(
        "The warped region, as the network sees it", "Labels on the lattice", "Mapped back"
    )
    left.imshow(np.rint(seen[0].permute(1, 2, 0).numpy()).astype(np.uint8))
    middle.imshow(on_lattice)
    right.imshow(labels)
    save("method-warped.jpg")


def read_region(image: lds.Image, prediction: Prediction, level: int) -> NDArray[np.uint8]:
    """Return the part of a level of an image that a region covers."""
    rectangle = prediction.region.rectangle
    rows = slice(rectangle.top >> level, rectangle.bottom >> level)
    columns = slice(rectangle.left >> level, rectangle.right >> level)
    return np.asarray(image.levels[level][..., rows, columns].compute())


def uniform(prediction: Prediction) -> NDArray[np.float32]:
    """Return the positions of the uniform grid on the same lattice, (h, w, 2)."""
    height, width = prediction.grid.shape[:2]
    x = (np.arange(width, dtype=np.float32) + 0.5) / width * 2 - 1
    y = (np.arange(height, dtype=np.float32) + 0.5) / height * 2 - 1
    return np.stack(np.meshgrid(x, y), axis=-1)


def side_by_side(*titles: str) -> tuple[plt.Figure, list[Axes]]:
    """Return a figure with one picture for each title."""
    figure, axes = plt.subplots(
        1, len(titles), figsize=(SIDE * len(titles), SIDE + 0.3), layout="constrained", dpi=100
    )
    for each, title in zip(axes, titles, strict=True):
        each.set_title(title, fontsize=11)
        each.set_axis_off()
    return figure, list(axes)


def draw_grid(axes: Axes, positions: NDArray[np.float32], side: int) -> None:
    """Draw every few lines of a grid over a picture of the region."""
    x, y = ((positions + 1) / 2 * side - 0.5).transpose(2, 0, 1)  # (h, w) each
    for lines in ((x[::EVERY].T, y[::EVERY].T), (x[:, ::EVERY], y[:, ::EVERY])):
        axes.plot(*lines, color="black", linewidth=0.6)


def save(name: str) -> None:
    """Write the present figure into the documentation."""
    plt.savefig(
        DOCS / name,
        bbox_inches="tight",
        pad_inches=0.05,
        pil_kwargs={"quality": 80, "optimize": True},
    )
    plt.close()


if __name__ == "__main__":
    main()
