"""Artefacts painted on an overview as optical density: folds, bubbles, edges, blur, dirt."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw
from qc_tissue import smooth_noise
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

GLASS, TISSUE, PEN, FOLD, BUBBLE, BLURRED, IGNORE = 1, 2, 3, 4, 5, 6, 255


@dataclass
class Overview:
    """A slide in the making, at a low resolution."""

    density: NDArray[np.float32]
    """Of everything on the glass, (H, W, 3)."""
    labels: NDArray[np.uint8]
    """(H, W)."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.labels.shape
        return height, width

    def place(self, random: np.random.Generator) -> tuple[float, float]:
        """Return a point (x, y), more often on tissue than beside it."""
        tissue = np.argwhere(self.labels == TISSUE)
        if len(tissue) and random.random() < 0.7:
            row, column = tissue[int(random.integers(len(tissue)))]
            return float(column), float(row)
        return tuple(random.uniform(0, self.size[::-1]))


def draw_fold(view: Overview, random: np.random.Generator) -> None:
    """Lay a narrow band of tissue over itself."""
    path = curve(view.place(random), random.uniform(0.05, 0.35) * min(view.size), random, bend=0.6)
    width = math.exp(random.uniform(math.log(3), math.log(16)))
    band = soft_line(view.size, path, width, random, softness=0.7)
    shift = tuple(int(step) for step in random.integers(-12, 13, 2))
    other = np.roll(view.density, shift, axis=(0, 1))
    factor = random.uniform(0.9, 2.0)
    view.density += (band * factor)[..., None] * (0.5 * view.density + 0.5 * other)
    np.minimum(view.density, 2.2, out=view.density)
    # Its outline shows: the edge of the upper layer.
    rim = np.clip(1 - np.abs(band - 0.5) * 4, 0, 1) * random.uniform(0, 0.5)
    view.density *= 1 + rim[..., None]
    is_tissue = view.labels == TISSUE
    view.labels[is_tissue & (band > 0.2)] = IGNORE
    view.labels[is_tissue & (band > 0.5)] = FOLD


def draw_bubble(view: Overview, random: np.random.Generator) -> None:
    """Draw an air bubble, whose rim is learned: dark with a light line, paler or darker inside."""
    x, y = view.place(random)
    radius = math.exp(random.uniform(math.log(8), math.log(90)))
    rows, columns = np.mgrid[: view.size[0], : view.size[1]]
    angle, aspect = random.uniform(0, math.pi), random.uniform(0.6, 1)
    u = (columns - x) * math.cos(angle) + (rows - y) * math.sin(angle)
    v = ((rows - y) * math.cos(angle) - (columns - x) * math.sin(angle)) / aspect
    wobble = 1 + random.uniform(0, 0.25) * np.sin(
        random.integers(2, 5) * np.arctan2(v, u) + random.uniform(0, 7)
    )
    outside = np.hypot(u, v) - radius * wobble  # pixels beyond the rim
    thick = random.uniform(0.8, 3.5)
    dark, light = (np.exp(-(((outside - place) / thick) ** 2)) for place in (0, -1.8 * thick))
    inner = random.uniform(-0.25, 0.1)
    view.density *= (1 + inner * (outside < 0))[..., None]
    shade = random.uniform(0.25, 0.9) * dark - random.uniform(0, 0.12) * light
    shade += random.choice([0.0, 0.03, 0.06]) * (outside < 0)
    view.density += shade[..., None].astype(np.float32)
    rim = abs(outside)
    view.labels[rim < 2 * thick + 1] = IGNORE
    view.labels[rim < thick + 0.5] = BUBBLE


def draw_edge(view: Overview, random: np.random.Generator) -> None:
    """Draw the edge of a cover slip: a long straight line, with shadow, cracks and dried mountant."""
    side = max(view.size)
    path = curve(view.place(random), 3.0 * side, random, bend=random.choice([0.0, 0.03, 0.1]))
    width = math.exp(random.uniform(math.log(1.5), math.log(14)))
    dark = soft_line(view.size, path, width, random, softness=random.uniform(0.5, 2))
    for _ in range(int(random.integers(3))):
        other = path + random.normal(0, 4 * width + 5, 2)
        thin = soft_line(view.size, other, random.uniform(1, 3), random, softness=0.5)
        dark = np.maximum(dark, random.uniform(0.3, 1) * thin)
    for _ in range(int(random.integers(6)) if random.random() < 0.4 else 0):
        start = path[int(random.integers(len(path)))]
        crack = curve(tuple(start), random.uniform(0.05, 0.3) * side, random, bend=0.5)
        dark = np.maximum(dark, 0.6 * soft_line(view.size, crack, random.uniform(1, 2), random))
    view.density += (random.uniform(0.15, 1.2) * dark)[..., None]
    beyond = _side_of(view.size, path)
    view.density += (random.choice([0.0, 0.02, 0.05]) * beyond)[..., None]
    if random.random() < 0.4:
        rough = np.maximum(smooth_noise(view.size, 3, random) - 1, 0) * beyond
        near = ndimage.gaussian_filter(dark, 25) * 6
        view.density += (random.uniform(0.05, 0.2) * np.minimum(near, 1) * rough)[..., None]
    view.labels[dark > 0.12] = IGNORE
    view.labels[dark > 0.35] = BUBBLE


def _side_of(size: tuple[int, int], path: NDArray[np.float64]) -> NDArray[np.bool_]:
    (x, y), (dx, dy) = path.mean(axis=0), path[-1] - path[0]
    rows, columns = np.mgrid[: size[0], : size[1]]
    return np.asarray((columns - x) * dy - (rows - y) * dx > 0)


def blur_part(view: Overview, random: np.random.Generator) -> None:
    """Put a part of the overview out of focus, by 2 to 8 pixels."""
    if random.random() < 0.5:
        side = min(view.size)
        path = curve(view.place(random), side, random, bend=0.3)
        share = soft_line(view.size, path, random.uniform(0.15, 0.5) * side, random, softness=6)
    else:
        noise = smooth_noise(view.size, random.uniform(100, 300), random)
        share = np.clip(3 * (noise - random.uniform(0, 1)), 0, 1)
    sigma = random.uniform(1.8, 7)
    blurred = ndimage.gaussian_filter(view.density, (sigma, sigma, 0))
    view.density += share[..., None] * (blurred - view.density)
    is_tissue = np.isin(view.labels, (TISSUE, FOLD))
    view.labels[is_tissue & (share > 0.15)] = IGNORE
    view.labels[is_tissue & (share > 0.7)] = BLURRED


def add_dirt(view: Overview, kind: str, random: np.random.Generator) -> None:
    """Scatter dust, fibres and faint stains of mountant, which are glass, or tissue, as before.

    On some overviews, `kind` spots adds what dried on the glass, and mountant what crept in from an edge.
    """
    dirt = np.zeros(view.size, np.float32)
    for _ in range(int(random.integers(12, 50))):
        place = random.uniform(0, view.size[::-1])
        line = curve(tuple(place), random.uniform(0, 12), random, bend=1.5)
        speck = soft_line(view.size, line, random.uniform(1, 4), random, softness=0.6)
        np.maximum(dirt, random.uniform(0.05, 1.2) * speck, out=dirt)
    for _ in range(int(random.integers(0, 12))):
        line = curve(tuple(random.uniform(0, view.size[::-1])), random.uniform(5, 60), random)
        cloud = soft_line(view.size, line, random.uniform(8, 40), random, softness=5)
        np.maximum(dirt, random.uniform(0.005, 0.08) * cloud, out=dirt)
    if random.random() < 0.6:  # mottled mountant
        mottle = np.maximum(smooth_noise(view.size, random.uniform(2, 12), random) - 0.5, 0)
        mottle *= np.clip(smooth_noise(view.size, random.uniform(40, 150), random) + 0.5, 0, 1)
        np.maximum(dirt, random.uniform(0.01, 0.1) * mottle, out=dirt)
    if kind == "spots" and random.random() < 0.5:
        for _ in range(int(random.integers(1, 4))):
            np.maximum(dirt, _dried_spots(view.size, random), out=dirt)
    view.density += dirt[..., None] * random.uniform(0.8, 1, 3)
    if kind == "mountant" and random.random() < 0.35:
        turns = int(random.integers(4))
        size = view.size if turns % 2 == 0 else view.size[::-1]
        view.density += np.rot90(_mountant(size, random), turns)


def _dried_spots(size: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
    """Return the density of what dried on a part of the glass: flat, pale spots with a rim, (H, W)."""
    depth = smooth_noise(size, random.uniform(8, 60), random, random.choice([1, 1, 3]))
    depth -= random.uniform(0.3, 1.5)
    spots = np.clip(random.uniform(2, 8) * depth, 0, 1)
    rims = np.exp(-((depth / random.uniform(0.05, 0.2)) ** 2))
    where = np.clip(2 * smooth_noise(size, random.uniform(60, 200), random), 0, 1)
    inside, rim = random.uniform(0, 0.06), random.uniform(0, 0.08)
    return np.asarray(where * (inside * spots + rim * rims), np.float32)


def _mountant(size: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
    """Return the density of mountant along the first rows, (H, W, 3): a haze with wisps."""
    deep = random.uniform(15, 140)
    depth = deep * (1 + 0.4 * smooth_noise(size, random.uniform(30, 150), random)[0])
    rows = np.arange(size[0])[:, None]
    inside = np.clip((depth - rows) / random.uniform(1, 6), 0, 1)
    haze = random.uniform(0, 0.05) + random.uniform(0, 0.3) * np.exp(-rows / random.uniform(5, 50))
    wisps = np.zeros(size, np.float32)
    for _ in range(int(random.integers(0, 40))):
        x, length = random.uniform(0, size[1]), random.uniform(0.1, 1) * depth.mean()
        y = np.linspace(random.uniform(0, 0.6) * length, length, 24)
        path = np.stack([x + np.cumsum(random.normal(0, 0.4, 24)), y], axis=1)
        wisp = soft_line(size, path, math.exp(random.uniform(0, math.log(6))), random)
        np.maximum(wisps, random.uniform(0.02, 0.3) * wisp, out=wisps)
    hues = [smooth_noise(size, random.uniform(15, 80), random, 8) for _ in range(3)]
    hue = random.uniform(0, 0.008) * np.stack(hues, axis=2)
    density = (haze + wisps)[..., None] * random.uniform(0.85, 1, 3) + hue
    return np.asarray(inside[..., None] * density, np.float32)


def shade_glass(size: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
    """Return empty glass, (H, W, 3), with uneven light, scan lines, shadows and blank fields."""
    glass = random.uniform(218, 250) + random.normal(0, 3, 3) * np.ones((*size, 1))
    glass *= 1 + random.uniform(0, 0.015) * smooth_noise(size, 150, random)[..., None]
    if random.random() < 0.5:
        lines = random.uniform(0, 0.012) * smooth_noise(size, 6, random, 200)
        glass *= 1 + (lines if random.random() < 0.5 else lines.T)[..., None]
    for _ in range(int(random.integers(3))):
        beyond = _side_of(size, curve(tuple(random.uniform(0, size[::-1])), 900, random))
        glass *= 1 - random.uniform(0, 0.12) * beyond[..., None]
    glass = np.rot90(glass, int(random.integers(4))).copy()
    if random.random() < 0.4:  # the label, or the edge of the slide
        border = np.linspace(0, size[0], size[0])[:, None, None]
        glass *= 1 - random.uniform(0.1, 0.9) * np.exp(-border / random.uniform(3, 60))
    if random.random() < 0.35:
        glass[: int(random.integers(1, 30))] = random.uniform(0, 90)
    glass = np.rot90(glass, int(random.integers(4)))
    return np.clip(glass, 0, 255).astype(np.float32)


def curve(
    middle: Sequence[float], length: float, random: np.random.Generator, bend: float = 0.35
) -> NDArray[np.float64]:
    """Return points (x, y) along a curve through about a middle, (n, 2)."""
    angles = random.uniform(0, 2 * math.pi) + bend * np.cumsum(random.normal(0, 0.35, 24))
    steps = np.stack([np.cos(angles), np.sin(angles)], axis=1) * length / 24
    points = np.concatenate([[(0.0, 0.0)], np.cumsum(steps, axis=0)])
    return np.asarray(points - points[12] + np.array(middle))


def soft_line(
    size: tuple[int, int],
    path: NDArray[np.float64],
    width: float,
    random: np.random.Generator,
    *,
    softness: float = 0.8,
) -> NDArray[np.float32]:
    """Return a line of uneven width, 1 inside and falling to 0 at its edge, (H, W)."""
    image = Image.new("L", size[::-1])
    draw = ImageDraw.Draw(image)
    widths = width * np.clip(1 + 0.2 * np.cumsum(random.normal(0, 0.3, len(path))), 0.6, 1.5)
    for first, second, wide in zip(path[:-1], path[1:], widths, strict=False):
        draw.line([*first, *second], fill=255, width=max(round(wide), 1))
        (x, y), half = second, wide / 2
        draw.ellipse((x - half, y - half, x + half, y + half), fill=255)
    pixels = np.asarray(image, np.float32) / np.float32(255)
    box = image.getbbox()
    if box is None:
        return pixels
    (left, top, right, bottom), reach = box, int(4 * softness) + 2
    line = np.zeros(size, np.float32)  # blurring a small window takes less time
    window = np.s_[max(top - reach, 0) : bottom + reach, max(left - reach, 0) : right + reach]
    line[window] = ndimage.gaussian_filter(pixels[window], softness)
    return line
