"""Paints H&E-like slides whose labels are known exactly.

Four classes with structures of very different size lie in tissue of varying stain: stroma, glands
(100 to 300 um), tumor nests (up to 2 mm) and aggregates of lymphocytes (60 to 160 um). Colour
comes from stain concentrations by Beer-Lambert's law, with the reference stain vectors of
Macenko et al. 2009.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from lds_path.geometry import Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CLASSES = {"Stroma": "#56B4E9", "Gland": "#009E73", "Tumor": "#D55E00", "Lymphocytes": "#F0E442"}
"""Name -> colour (Okabe and Ito's colour-blind-safe palette), in the order of the values 1, 2, ..."""

MPP = 0.5
STROMA, GLAND, TUMOR, LYMPHOCYTES, LUMEN = 1, 2, 3, 4, 5
HEMATOXYLIN = np.array([0.5626, 0.7201, 0.4062], dtype=np.float32)
EOSIN = np.array([0.2159, 0.8012, 0.5581], dtype=np.float32)
GLASS = np.array([243.0, 242.0, 244.0], dtype=np.float32)
TEXTURE_SIZE = 1024
STRIP = 512
ROWS = 64
"""Rows of a strip that are painted at once: larger arrays cost more time to get than to compute."""

# Per structure (glass, stroma, gland, tumor, lymphocytes, lumen).
NUCLEI_PER_MM2 = np.array([0, 900, 4200, 5200, 17000, 0], dtype=np.float64)
NUCLEUS_RADIUS_UM = np.array([0.0, 2.6, 3.0, 4.6, 2.6, 0.0])
HEMATOXYLIN_BASE = np.array([0.0, 0.06, 0.24, 0.30, 0.26, 0.02], dtype=np.float32)
EOSIN_BASE = np.array([0.0, 0.52, 0.34, 0.26, 0.16, 0.10], dtype=np.float32)
FIBRES = np.array([0.0, 0.42, 0.10, 0.08, 0.06, 0.03], dtype=np.float32)


@dataclass(frozen=True)
class PaintedSlide:
    """A painted slide, its colours computed strip by strip when they are read."""

    labels: NDArray[np.uint8]
    """Reference labels, (H, W): 0 is glass, 1 to 4 are `CLASSES`."""
    structures: NDArray[np.uint8]
    nuclei: NDArray[np.uint8]
    """Hematoxylin of the nuclei, (H, W), 255 is the darkest."""
    seed: int

    @property
    def size(self) -> Size:
        """Extent in pixels of 0.5 um."""
        height, width = self.labels.shape
        return Size(width, height)

    def strips(self) -> Iterator[NDArray[np.uint8]]:
        """Yield the slide from top to bottom as RGB strips, (<= 512, W, 3)."""
        random = np.random.default_rng([self.seed, 2])
        noise = _texture(random, sigma=(1.5, 1.5))
        fibres = _wavy(random, _texture(random, sigma=(2.0, 14.0)))
        stain = _stain_field(random, self.size)
        for top in range(0, self.size.height, STRIP):
            bottom = min(top + STRIP, self.size.height)
            strip = np.empty((bottom - top, self.size.width, 3), dtype=np.uint8)
            for row in range(top, bottom, ROWS):
                self._paint(strip[row - top : row - top + ROWS], row, noise, fibres, stain)
            yield strip

    def _paint(
        self,
        pixels: NDArray[np.uint8],
        top: int,
        noise: NDArray[np.float32],
        fibres: NDArray[np.float32],
        stain: NDArray[np.float32],
    ) -> None:
        """Paint the rows of the slide from `top` on, as many as `pixels` has."""
        structures = self.structures[top : top + len(pixels)]
        height, width = structures.shape
        rows = np.arange(top, top + height) % TEXTURE_SIZE
        columns = np.arange(width) % TEXTURE_SIZE
        grain = noise[np.ix_(rows, columns)]
        fibre = fibres[np.ix_(rows, columns)] * FIBRES[structures]
        strength = _enlarge_rows(stain, top, Size(width, height), self.size)
        nuclei = self.nuclei[top : top + len(pixels)].astype(np.float32) / 255
        hematoxylin = strength * (HEMATOXYLIN_BASE[structures] * (1 + 0.3 * grain) + 0.85 * nuclei)
        eosin = strength * np.maximum(EOSIN_BASE[structures] * (1 + 0.2 * grain) + 0.6 * fibre, 0)
        density = hematoxylin[..., None] * HEMATOXYLIN + eosin[..., None] * EOSIN
        rgb = GLASS * np.exp(-density) + 1.5 * grain[..., None]
        pixels[...] = np.clip(np.rint(rgb), 0, 255)


def paint_slide(seed: int, size: Size, *, structured: float = 1.0) -> PaintedSlide:
    """Paint a slide.

    Parameters
    ----------
    seed
        The same seed, size and fraction give the same slide.
    size
        Extent in pixels of 0.5 um.
    structured
        Fraction of the slide's area, around its centre, that holds anything but stroma.
    """
    random = np.random.default_rng([seed, 1])
    tissue = _paint_tissue(random, size)
    structures = _paint_structures(random, size, tissue, structured)
    nuclei = _paint_nuclei(random, structures)
    labels = np.where(structures == LUMEN, GLAND, structures).astype(np.uint8)
    return PaintedSlide(labels, structures, nuclei, seed)


def _paint_tissue(random: np.random.Generator, size: Size) -> Image.Image:
    tissue = Image.new("L", (size.width, size.height))
    radius = 0.44 * min(size.width, size.height)
    pieces = max(1, round(0.55 * size.width * size.height / (np.pi * radius**2)))
    for piece in range(pieces):
        x = size.width * (piece + 0.5) / pieces + random.normal(0, 0.03 * size.width)
        y = size.height * 0.5 + random.normal(0, 0.03 * size.height)
        outline = _outline(random, x, y, radius * random.uniform(0.85, 1.05), 0.16)
        ImageDraw.Draw(tissue).polygon(outline, fill=STROMA)
    return tissue


def _paint_structures(
    random: np.random.Generator, size: Size, tissue: Image.Image, structured: float
) -> NDArray[np.uint8]:
    image = tissue.copy()
    draw = ImageDraw.Draw(image)
    area_mm2 = structured * size.width * size.height * MPP**2 / 1e6
    side = math.sqrt(structured)
    for _ in range(round(0.55 * area_mm2)):
        radius = random.uniform(150, 520) / MPP
        draw.polygon(
            _outline(random, *_random_position(random, size, side), radius, 0.22), fill=TUMOR
        )
    for _ in range(round(5.0 * area_mm2)):
        _paint_gland(random, draw, *_random_position(random, size, side))
    for _ in range(round(5.0 * area_mm2)):
        radius = random.uniform(35, 85) / MPP
        draw.polygon(
            _outline(random, *_random_position(random, size, side), radius, 0.12), fill=LYMPHOCYTES
        )
    return np.where(np.asarray(tissue) > 0, np.asarray(image), 0).astype(np.uint8)


def _paint_gland(
    random: np.random.Generator, draw: ImageDraw.ImageDraw, x: float, y: float
) -> None:
    radius = random.uniform(55, 140) / MPP
    shape = _outline(random, x, y, radius, 0.10)
    draw.polygon(shape, fill=GLAND)
    centre = np.array([x, y])
    inner = centre + (np.asarray(shape) - centre) * random.uniform(0.3, 0.5)
    draw.polygon([(float(px), float(py)) for px, py in inner], fill=LUMEN)


def _random_position(random: np.random.Generator, size: Size, side: float) -> tuple[float, float]:
    """Return a position in the middle of the slide, within a fraction of its width and height."""
    low, high = (1 - side) / 2, (1 + side) / 2
    x = random.uniform(low * size.width, high * size.width)
    return x, random.uniform(low * size.height, high * size.height)


def _outline(
    random: np.random.Generator, x: float, y: float, radius: float, roughness: float
) -> list[tuple[float, float]]:
    """Return a closed wavy ellipse; low harmonics bend it, high ones roughen it."""
    angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    wave = np.zeros_like(angle)
    for harmonic in range(2, 12):
        amplitude = random.normal(0, roughness / harmonic)
        wave += amplitude * np.cos(harmonic * angle + random.uniform(0, 2 * np.pi))
    stretch = random.uniform(0.8, 1.25)
    distance = radius * (1 + wave)
    xs = x + distance * np.cos(angle) * stretch
    ys = y + distance * np.sin(angle) / stretch
    return list(zip(xs.tolist(), ys.tolist(), strict=True))


def _paint_nuclei(random: np.random.Generator, structures: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = structures.shape
    densest = NUCLEI_PER_MM2.max()
    count = int(densest * height * width * MPP**2 / 1e6)
    xs, ys = random.integers(0, width, count), random.integers(0, height, count)
    structure_at = structures[ys, xs]
    kept = random.uniform(0, densest, count) < NUCLEI_PER_MM2[structure_at]
    xs, ys, structure_at = xs[kept], ys[kept], structure_at[kept]
    stamps = {
        structure: _nucleus_stamps(random, structure) for structure in np.unique(structure_at)
    }
    margin = max((stamp.shape[0] for bank in stamps.values() for stamp in bank), default=1)
    nuclei = np.zeros((height + 2 * margin, width + 2 * margin), np.uint8)
    choices = random.integers(0, 32, len(xs))
    for x, y, structure, choice in zip(xs, ys, structure_at, choices, strict=True):
        stamp = stamps[structure][choice]
        top, left = y + margin - stamp.shape[0] // 2, x + margin - stamp.shape[1] // 2
        window = nuclei[top : top + stamp.shape[0], left : left + stamp.shape[1]]
        np.maximum(window, stamp, out=window)
    return np.ascontiguousarray(nuclei[margin:-margin, margin:-margin])


def _nucleus_stamps(random: np.random.Generator, structure: int) -> list[NDArray[np.uint8]]:
    stamps = []
    for _ in range(32):
        radius = NUCLEUS_RADIUS_UM[structure] / MPP * random.uniform(0.75, 1.35)
        ratio = random.uniform(0.35, 0.6) if structure == STROMA else random.uniform(0.7, 1.0)
        angle = random.uniform(0, np.pi)
        reach = int(np.ceil(radius * 1.3)) + 1
        y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float64)
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        distance = np.hypot(along / radius, across / (radius * ratio))
        profile = np.clip((1.15 - distance) / 0.3, 0, 1) * random.uniform(0.7, 1.1)
        stamps.append(np.minimum(255 * profile, 255).astype(np.uint8))
    return stamps


def _texture(random: np.random.Generator, *, sigma: tuple[float, float]) -> NDArray[np.float32]:
    """Return a noise tile that repeats without a seam, mean 0 and deviation 1."""
    noise = random.standard_normal((TEXTURE_SIZE, TEXTURE_SIZE)).astype(np.float32)
    smooth: NDArray[np.float32] = ndimage.gaussian_filter(noise, sigma, mode="wrap")
    smooth += 0.5 * smooth.std() * ndimage.zoom(noise[::16, ::16], 16, order=1, mode="grid-wrap")
    normal: NDArray[np.float32] = (smooth - smooth.mean()) / smooth.std()
    return normal


def _wavy(random: np.random.Generator, texture: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bend a texture tile, again without a seam."""
    noise = random.standard_normal((TEXTURE_SIZE, TEXTURE_SIZE))
    bend = ndimage.gaussian_filter(noise, 70, mode="wrap")
    bend *= 55 / bend.std()
    rows, columns = np.mgrid[:TEXTURE_SIZE, :TEXTURE_SIZE]
    bent: NDArray[np.float32] = ndimage.map_coordinates(
        texture, [rows + bend, columns + bend.T], order=1, mode="grid-wrap"
    )
    return bent


def _stain_field(random: np.random.Generator, size: Size) -> NDArray[np.float32]:
    """Return the stain's strength on a coarse grid: faint, 0.55, to dense, 1.3."""
    shape = (max(2, size.height // 1024 + 1), max(2, size.width // 1024 + 1))
    strength = random.uniform(0.8, 1.05) + ndimage.gaussian_filter(
        random.normal(0, 0.35, shape), 0.8, mode="nearest"
    )
    bounded: NDArray[np.float32] = np.clip(strength, 0.55, 1.3).astype(np.float32)
    return bounded


def _enlarge_rows(
    field: NDArray[np.float32], top: int, strip: Size, whole: Size
) -> NDArray[np.float32]:
    """Return the strip's part of a coarse field that is stretched over the whole slide."""
    rows = np.linspace(0, field.shape[0] - 1, whole.height, dtype=np.float32)[
        top : top + strip.height
    ]
    columns = np.linspace(0, field.shape[1] - 1, whole.width, dtype=np.float32)
    above = np.minimum(rows.astype(int), field.shape[0] - 2)
    weight = (rows - above)[:, None]
    coarse = field[above] * (1 - weight) + field[above + 1] * weight
    left = np.minimum(columns.astype(int), field.shape[1] - 2)
    weight = columns - left
    enlarged: NDArray[np.float32] = coarse[:, left] * (1 - weight) + coarse[:, left + 1] * weight
    return enlarged
