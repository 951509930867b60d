"""Make the slides that `tissue-qc` is trained on: `python qc_slides.py DATA FOLDER`.

Real tissue (colon biopsies, kidney, breast, and two slides, as `qc_tissue.py` lists them) is laid on
larger glass at about 8 um per pixel, in varying stains, some of it replaced by painted fat, and
artefacts are painted on it. `--dirt` says what lies on the glass. FOLDER gets the slides, their
labels (1 Glass, 2 Tissue, 3 Pen, 4 Fold, 5 Bubble, 6 Out of focus, 255 not to be learned) and
`slides.tsv`.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
import qc_artefacts as artefacts
import qc_pen as pen
from qc_artefacts import GLASS, IGNORE, TISSUE, Overview
from qc_tissue import find_sources, make_tissue, restain
from scipy import ndimage
from slide_file import write_slide

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from qc_tissue import Source

MPP = 8.0
SIDE = 640
VIEWS = (2, 2)
"""Rows and columns of overviews on a slide; they differ in stain and glass."""
SEAM = 2
"""Pixels along the edges of an overview that are not learned."""
SLIDES = {"tune": 2, "test": 2}
"""How many slides there are of a split; those to learn from are an option."""
SCALES = (6.0, 26.0)
"""Tissue is shown as at these um per pixel, so that overviews coarser than 8 um are known too."""


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--slides", default=26, show_default=True, help="To learn from.")
@click.option("--dirt", type=click.Choice(["dust", "spots", "mountant"]), default="dust")
def main(data: Path, folder: Path, slides: int, dirt: str) -> None:
    """Write the slides, their labels and their sheet into FOLDER."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "slides.tsv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t")
        writer.writerow(["slide", "path", "mpp", "labels", "split"])
        for split, count in {"train": slides, **SLIDES}.items():
            sources = find_sources(data, split)
            for number in range(1, count + 1):
                slide = f"{split}-{number}"
                random = np.random.default_rng([1, *slide.encode()])
                image, labels = paint_slide(sources, dirt, random)
                write_slide(folder / f"{slide}.tif", image, mpp=MPP, quality=88)
                write_slide(folder / f"{slide}-labels.tif", labels, mpp=MPP)
                writer.writerow([slide, f"{slide}.tif", MPP, f"{slide}-labels.tif", split])


def paint_slide(
    sources: list[Source], dirt: str, random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a slide of overviews side by side, (H, W, 3), and its labels, (H, W)."""
    rows, columns = VIEWS
    image = np.zeros((rows * SIDE, columns * SIDE, 3), np.uint8)
    labels = np.full(image.shape[:2], IGNORE, np.uint8)
    for row, column in np.ndindex(rows, columns):
        part = np.s_[row * SIDE : (row + 1) * SIDE, column * SIDE : (column + 1) * SIDE]
        image[part], known = paint(sources, dirt, random)
        labels[part][SEAM:-SEAM, SEAM:-SEAM] = known[SEAM:-SEAM, SEAM:-SEAM]
    return image, labels


def paint(
    sources: list[Source], dirt: str, random: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return an overview, (H, W, 3), and its labels, (H, W)."""
    view = lay_tissue(sources, random)
    artefacts.add_dirt(view, dirt, random)
    steps = [
        (artefacts.draw_fold, 0.8, 9),
        (artefacts.blur_part, 0.45, 1),
        (artefacts.draw_bubble, 0.5, 5),
        (artefacts.draw_edge, 0.4, 1),
        (pen.draw_pen, 0.7, 4),
        (pen.drop_ink, 0.25, 1),
    ]
    for draw, chance, most in steps:
        for _ in range(int(random.integers(1, most + 1)) if random.random() < chance else 0):
            draw(view, random)
    return develop(view, random), view.labels


def lay_tissue(sources: list[Source], random: np.random.Generator) -> Overview:
    """Return glass with pieces of tissue of one or two stains."""
    view = Overview(np.zeros((SIDE, SIDE, 3), np.float32), np.full((SIDE, SIDE), GLASS, np.uint8))
    mpp = np.exp(random.uniform(*np.log(SCALES)))
    seed = int(random.integers(2**32))
    largest = random.choice([0.25, 0.6, 1.1])
    fatty = random.random() < 0.35
    for _ in range(int(random.integers(3, 6) / largest)):
        height, width = (int(side) for side in random.uniform(0.4, 1, 2) * largest * SIDE)
        density, shape = make_tissue(sources, (height, width), mpp, random, fatty=fatty)
        density = restain(density, np.random.default_rng(seed))
        height, width = shape.shape
        top, left = (
            int(random.integers(*sorted((-side // 4, SIDE - 3 * side // 4))))
            for side in (height, width)
        )
        lay(view, density, shape, top, left)
    return view


def lay(
    view: Overview, density: NDArray[np.float32], shape: NDArray[np.bool_], top: int, left: int
) -> None:
    """Lay a piece of tissue on the glass, unless there is one; its outline is not learned."""
    rows, columns = slice(max(top, 0), top + len(shape)), slice(max(left, 0), left + shape.shape[1])
    height, width = view.labels[rows, columns].shape
    part = np.s_[max(-top, 0) :, max(-left, 0) :]
    density, shape = density[part][:height, :width], shape[part][:height, :width]
    labels = view.labels[rows, columns]
    if (labels[shape] == TISSUE).any():
        return
    view.density[rows, columns] += density
    border = ndimage.binary_dilation(shape) & ~ndimage.binary_erosion(shape)
    labels[shape] = TISSUE
    labels[border] = IGNORE
    # What a cut-out of real tissue has beside its outline: threads and debris.
    faint = ~shape & ~border & (density.mean(axis=2) > 0.04)
    labels[faint] = IGNORE


def develop(view: Overview, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return the overview as a scanner shows it."""
    image = artefacts.shade_glass(view.size, random) * 10 ** -np.maximum(view.density, -0.05)
    blur = random.uniform(0, 0.6)
    image = ndimage.gaussian_filter(image, (blur, blur, 0))
    image += random.uniform(0.3, 3) * random.standard_normal(image.shape)
    for _ in range(int(random.integers(1, 4)) if random.random() < 0.15 else 0):
        top, left = random.integers(0, SIDE, 2)
        height, width = random.integers(20, 250, 2)
        part = np.s_[top : top + height, left : left + width]
        if (view.labels[part] == GLASS).all():
            image[part] = 255  # a field that was not scanned
    return np.asarray(np.clip(image + 0.5, 0, 255), np.uint8)


if __name__ == "__main__":
    main()
