"""Tissue for painted overviews: real images as optical density, patched, cut out and restained."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import openslide
from PIL import Image
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.morphology import remove_small_holes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    Density = NDArray[np.float32]
    """Optical density of red, green and blue, (H, W, 3)."""

COLON_MPP, KIDNEY_MPP, BREAST_MPP, TCGA_MPP = 1.1, 0.5, 0.25, 1.0
"""TCGA's file states none; its nuclei have 8 to 10 pixels."""
FINEST_MPP = 3.0
COLON_SIZE = (299, 224)
"""Of a colon image before it was pressed into a square."""
TUNED_KIDNEY = ("10102", "10103")
SPLITS = ("train", "train", "train", "tune", "test")
"""The case with number n, in a random order, is in split n % 5."""
STAINS = np.array(
    [(0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78), (0.2, 0.9, 0.4), (0.8, 0.57, 0.1)]
)
"""Densities of haematoxylin, eosin, DAB, fuchsin and aniline blue."""


@dataclass(frozen=True)
class Source:
    """A real image of tissue."""

    path: Path
    mpp: float
    group: str
    """Images of one group may be patched together."""
    whole: bool = False
    """Whether it shows tissue on glass, with its own outline."""

    def read(self, mpp: float) -> Density:
        """Return the image at a resolution."""
        image = read_image(self)
        size = [max(round(side * FINEST_MPP / mpp), 8) for side in image.size]
        pixels = np.asarray(image.resize(size, Image.Resampling.BOX), np.float32)
        white = np.clip(np.percentile(pixels, 99.5, axis=(0, 1)), 215, 255)
        density: Density = -np.log10(np.clip(pixels / white, 0.01, 1)).astype(np.float32)
        return np.maximum(density - 0.015, 0) if self.whole else density  # its glass


@cache
def read_image(source: Source) -> Image.Image:
    """Return an image at the finest resolution that is used, in memory from the first time on."""
    if source.path.suffix == ".svs":
        with openslide.OpenSlide(source.path) as slide:
            level = slide.level_count - 1
            scale = slide.level_downsamples[level]
            image = slide.read_region((0, 0), level, slide.level_dimensions[level])
    else:
        image, scale = Image.open(source.path), 1.0
        if source.group.startswith("colon"):
            image = image.resize(COLON_SIZE, Image.Resampling.BICUBIC)
    size = [round(side * scale * source.mpp / FINEST_MPP) for side in image.size]
    return image.convert("RGB").resize(size, Image.Resampling.BOX)


def find_sources(data: Path, split: str) -> list[Source]:
    """Return the images of a split: no case of colon and no site of kidney is in two."""
    sources = []
    with (data / "colon/cases.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    cases = sorted({row["case"] for row in rows})
    np.random.default_rng(7).shuffle(cases)
    splits = {case: SPLITS[number % len(SPLITS)] for number, case in enumerate(cases)}
    for row in rows:
        if splits[row["case"]] == split:
            path = data / f"colon/images/{row['image']}.jpg"
            sources.append(Source(path, COLON_MPP, f"colon {row['grade']}"))
    sources += [
        Source(path, KIDNEY_MPP, "kidney")
        for path in sorted((data / "glomeruli/images").glob("*.png"))
        if (path.stem in TUNED_KIDNEY) == (split == "tune") and split != "test"
    ]
    if split == "train":
        sources.append(Source(data / "breast/image_1008.jpg", BREAST_MPP, "breast"))
        slides = data / "slides"
        sources.append(Source(slides / "CMU-1-Small-Region.svs", 0.5, "skin", whole=True))
        tcga = slides / "tcga-cr-7395-01a-01-ts1.svs"
        sources.append(Source(tcga, TCGA_MPP, "tongue", whole=True))
    return sources


def make_tissue(
    sources: list[Source],
    size: tuple[int, int],
    mpp: float,
    random: np.random.Generator,
    *,
    fatty: bool = False,
) -> tuple[Density, NDArray[np.bool_]]:
    """Return a piece of tissue of about a size, (H, W), and where it is; most of a fatty one is fat."""
    whole = [source for source in sources if source.whole]
    if whole and random.random() < (0.1 if fatty else 0.3):
        source = whole[int(random.integers(len(whole)))]
        density = np.rot90(source.read(mpp * random.uniform(0.5, 1)), int(random.integers(4)))
        density = np.pad(density, ((8, 8), (8, 8), (0, 0)))
        return density, find_stained(density)
    density = patch(sources, size, mpp, random)
    shape = blob(size, random)
    if fatty:  # gaps of the size of its cells are not seen
        shape = remove_small_holes(ndimage.binary_closing(shape), max_size=200)
    density *= 1 + 0.35 * smooth_noise(size, random.uniform(20, 80), random)[..., None]
    if fatty or random.random() < 0.6:
        least = random.uniform(-2.5, 0) if fatty else random.uniform(-0.6, 1.2)
        where = smooth_noise(size, random.uniform(30, 150), random) - least
        add_fat(density, where + 0.2 * smooth_noise(size, 10, random), mpp, random)
    soft = ndimage.gaussian_filter(shape.astype(np.float32), 0.6)
    return np.maximum(density * soft[..., None], -0.015), shape


def find_stained(density: Density) -> NDArray[np.bool_]:
    """Return where an image of tissue on glass shows tissue, small gaps included."""
    stained = ndimage.gaussian_filter(density.mean(axis=2) + 2 * np.ptp(density, axis=2), 1) > 0.15
    closed = ndimage.binary_closing(np.pad(stained, 4), iterations=2)[4:-4, 4:-4]
    return np.asarray(ndimage.binary_opening(closed))


def patch(
    sources: list[Source], size: tuple[int, int], mpp: float, random: np.random.Generator
) -> Density:
    """Return an area filled with images of one group, blended where they overlap, (H, W, 3)."""
    groups = sorted({source.group for source in sources if not source.whole})
    group = groups[int(random.integers(len(groups)))]
    members = [source for source in sources if source.group == group]
    chosen = random.choice(len(members), min(len(members), 12), replace=False)
    images = [members[int(number)].read(mpp) for number in chosen]
    images = [image for image in images if _is_filled(image)] or images
    medians = [np.median(image, axis=(0, 1)) for image in images]
    typical = np.mean(medians, axis=0)
    images = [
        image * (0.3 + 0.7 * (typical + 0.02) / (median + 0.02))
        for image, median in zip(images, medians, strict=True)
    ]
    total, weights = np.zeros((*size, 3), np.float32), np.full((*size, 1), 1e-3, np.float32)
    for row, column in _corners(size, images, random):
        image = np.rot90(images[int(random.integers(len(images)))], int(random.integers(4)))
        part = np.s_[row : row + image.shape[0], column : column + image.shape[1]]
        height, width = total[part].shape[:2]
        weight = _fading(image.shape[:2])[:height, :width]
        total[part] += image[:height, :width] * weight
        weights[part] += weight
    return total / weights


@cache
def _fading(size: tuple[int, int]) -> NDArray[np.float32]:
    """Return weights that fall towards the edges of an image, (H, W, 1)."""
    ramps = [np.minimum(np.arange(n) + 0.5, n - np.arange(n) - 0.5) for n in size]
    return np.asarray(np.minimum.outer(*ramps).clip(max=3)[..., None] ** 2, np.float32)


def _is_filled(density: Density) -> bool:
    """Return whether hardly any of an image is glass."""
    return bool((ndimage.gaussian_filter(density.mean(axis=2), 1.5) > 0.06).mean() > 0.9)


def _corners(
    size: tuple[int, int], images: list[Density], random: np.random.Generator
) -> Iterator[tuple[int, int]]:
    """Yield the corners of images that cover an area."""
    step = max(min(min(image.shape[:2]) for image in images) - 4, 4)
    for row in range(0, size[0], step):
        for column in range(-int(random.integers(step)), size[1], step):
            yield row, max(column, 0)


def blob(size: tuple[int, int], random: np.random.Generator) -> NDArray[np.bool_]:
    """Return a shape with a ragged outline, some with holes, (H, W)."""
    rows, columns = (np.linspace(-1, 1, side) for side in size)
    power = random.uniform(2, 6)
    distance = np.abs(rows[:, None]) ** power + np.abs(columns) ** power
    noise = smooth_noise(size, min(size) / 5, random) + 0.3 * smooth_noise(size, 4, random)
    shape = distance + random.uniform(0.1, 0.7) * noise < 0.7
    if random.random() < 0.6:
        shape &= smooth_noise(size, random.uniform(5, 30), random) < random.uniform(1.2, 2.2)
    return np.asarray(ndimage.binary_opening(shape))


def add_fat(
    density: Density, where: NDArray[np.float32], mpp: float, random: np.random.Generator
) -> None:
    """Replace tissue by fat where there is more than 0."""
    share = np.clip(random.uniform(2, 8) * where, 0, 1)[..., None]
    fat = _fat_amount(where.shape, mpp, random)
    stain = np.median(density, axis=(0, 1)) * np.exp(random.normal(0, 0.15, 3))
    if random.random() < 0.5:  # without the blue of nuclei
        stain *= (0.4, 1.1, 0.8)
    density *= 1 - share
    density += share * (
        fat[..., None] * stain / max(stain.max(), 0.05) + random.uniform(-0.01, 0.02)
    )


def _fat_amount(
    size: tuple[int, int], mpp: float, random: np.random.Generator
) -> NDArray[np.float32]:
    """Return the strength of the stain in fat, (H, W): cells of 50 to 120 um, septa and vessels.

    Their walls are thin, pale and broken, the cells as pale as glass.
    """
    cell = max(random.uniform(50, 120) / mpp, 3.0)
    count = int(size[0] * size[1] / cell**2) + 4
    tree = cKDTree(random.uniform((0, 0), size, (count, 2)))
    pixels = np.indices(size).reshape(2, -1).T
    nearest = tree.query(pixels, k=2)[0].reshape(*size, 2)
    wall = np.clip(1 - np.ptp(nearest, axis=2) / random.uniform(0.7, 2.0), 0, 1)
    wall *= np.clip(random.uniform(0, 1) + smooth_noise(size, random.uniform(1.5, 6), random), 0, 2)
    wall *= np.exp(random.uniform(*np.log((0.02, 0.25))))
    septum = np.clip(1 - abs(smooth_noise(size, random.uniform(30, 120), random)) / 0.07, 0, 1)
    septum *= np.clip(smooth_noise(size, 60, random), 0, 1) * random.uniform(0, 0.4)
    vessel = np.clip(smooth_noise(size, random.uniform(3, 8), random) - 2.2, 0, 1)
    amount = np.maximum.reduce([wall, septum, random.uniform(0, 0.5) * vessel])
    return np.asarray(amount, np.float32)


def restain(density: Density, random: np.random.Generator) -> Density:
    """Return tissue in another strength, and often in other stains."""
    stained = density * np.exp(random.normal(0, 0.15, 3)) * np.exp(random.normal(-0.1, 0.35))
    if random.random() < 0.35:
        total = density.sum(axis=2)
        nuclear = np.clip(1.6 * density[..., 0] / np.maximum(density[..., 1], 0.02) - 0.5, 0, 1)
        first, second = STAINS[random.choice(len(STAINS), 2, replace=False)]
        mixed = nuclear[..., None] * first + (1 - nuclear)[..., None] * second
        stained = total[..., None] * mixed / 1.6 * np.exp(random.normal(-0.3, 0.3))
    return np.asarray(np.minimum(stained, 1.6), np.float32)


def smooth_noise(
    size: tuple[int, int], distance: float, random: np.random.Generator, stretch: float = 1.0
) -> NDArray[np.float32]:
    """Return noise of mean 0 and deviation 1 that varies over a distance in pixels, (H, W)."""
    steps = (max(distance / 2, 1), max(distance * stretch / 2, 1))
    coarse = [int(side / step) + 4 for side, step in zip(size, steps, strict=True)]
    noise = ndimage.gaussian_filter(random.standard_normal(coarse, dtype=np.float32), 1)
    bottom, right = (1 + side / step for side, step in zip(size, steps, strict=True))
    image = Image.fromarray(noise)
    box = (1, 1, right, bottom)
    values = np.asarray(image.resize(size[::-1], Image.Resampling.BILINEAR, box), np.float32)
    return np.asarray((values - values.mean()) / (values.std() + 1e-6))
