"""Marks of pens and drops of ink painted on an overview, wet, streaky, pale or run dry."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from qc_artefacts import IGNORE, PEN, TISSUE, Overview, curve, soft_line
from qc_tissue import smooth_noise
from scipy import ndimage
from skimage.measure import find_contours

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Path = NDArray[np.float64]
    """Points (x, y), (n, 2)."""

INKS = np.array(
    [
        (1.0, 0.35, 0.50), (0.8, 0.3, 0.35), (1.0, 0.28, 0.38), (1.1, 0.8, 0.2), (1.0, 0.5, 0.1),
        (0.1, 1.0, 0.75), (0.08, 0.8, 0.6), (0.12, 1.0, 0.85), (0.06, 1.0, 0.65),
        (1.0, 1.0, 0.9), (0.9, 0.85, 0.75), (0.6, 0.9, 0.25), (0.9, 0.25, 0.6),
    ]
)  # fmt: skip
"""Densities of green and teal, blue, red, black, violet and green ink."""


def draw_pen(view: Overview, random: np.random.Generator) -> None:
    """Draw a line, a ring, a dot, hatching or along tissue with a pen, wet or dry."""
    width = math.exp(random.uniform(math.log(4), math.log(45)))
    strength: NDArray[np.floating[Any]] = np.zeros(view.size, np.float32)
    for path in _pen_paths(view, width, random):
        for shift in random.normal(0, width / 3, (int(random.integers(1, 4)), 2)):
            stroke = soft_line(view.size, path + shift, width * random.uniform(0.6, 1), random)
            strength = np.maximum(strength, stroke) + 0.4 * np.minimum(strength, stroke)
        if random.random() < 0.3:  # a pool of ink where the pen was set down
            spot = curve(tuple(path[0]), random.uniform(0.2, 1) * width, random)
            strength += soft_line(view.size, spot, 0.7 * width, random)
    strength *= _ink_left(view.size, random)
    amount = math.exp(random.uniform(math.log(0.15), math.log(1.3)))
    _ink(view, strength, amount * (1 + 0.3 * smooth_noise(view.size, 100, random)), random)


def drop_ink(view: Overview, random: np.random.Generator) -> None:
    """Leave a few drops of one ink on the slide."""
    strength = np.zeros(view.size, np.float32)
    for _ in range(int(random.integers(1, 6))):
        width = math.exp(random.uniform(math.log(4), math.log(18)))
        drop = curve(view.place(random), random.uniform(0.1, 1) * width, random)
        strength += soft_line(view.size, drop, width, random, softness=random.uniform(0.6, 2))
    _ink(view, strength, random.uniform(0.5, 2) * np.ones(view.size, np.float32), random)


def _ink(
    view: Overview,
    strength: NDArray[np.floating[Any]],
    amount: NDArray[np.floating[Any]],
    random: np.random.Generator,
) -> None:
    """Add ink of a random colour; where there is hardly any it is not learned."""
    ink = INKS[int(random.integers(len(INKS)))] * np.exp(random.normal(0, 0.12, 3))
    added = np.clip(strength * np.clip(amount, 0.12, 2), 0, 2)
    view.density += added[..., None] * ink
    cover = ndimage.uniform_filter(np.clip(strength, 0, 1), 3)
    view.labels[cover > 0.1] = IGNORE
    view.labels[(cover > 0.55) & (ndimage.uniform_filter(added, 3) > 0.1)] = PEN


def _ink_left(size: tuple[int, int], random: np.random.Generator) -> NDArray[np.float32]:
    """Return the share of the ink that lies there, (H, W): streaks where the pen runs dry."""
    streaks = smooth_noise(size, random.uniform(1.5, 5), random, random.choice([1, 5, 12, 30]))
    if random.random() < 0.4:
        streaks = streaks.T
    if random.random() < 0.4:
        return 1 + 0.15 * streaks
    wetness = random.uniform(-0.7, 1.5) + smooth_noise(size, random.uniform(60, 200), random)
    left = np.clip(0.5 + random.uniform(0.6, 3) * (wetness - streaks), random.uniform(0, 0.1), 1)
    return np.asarray(left * (1 + 0.1 * streaks))


def _pen_paths(view: Overview, width: float, random: np.random.Generator) -> list[Path]:
    kinds = ["line", "ring", "dot", "hatching", "along tissue"]
    kind = random.choice(kinds, p=[0.35, 0.15, 0.1, 0.1, 0.3])
    x, y = view.place(random)
    if kind == "dot":
        return [curve((x, y), random.uniform(0.2, 1) * width, random)]
    if kind == "hatching":
        across = random.uniform(-1, 1, 2) * 1.5 * width
        line = curve((x, y), random.uniform(5, 12) * width, random, bend=0.2)
        return [line + number * across for number in range(int(random.integers(2, 5)))]
    if kind == "line":
        bend = random.choice([0.05, 0.35])
        return [curve((x, y), random.uniform(0.1, 1.2) * min(view.size), random, bend=bend)]
    if kind == "along tissue":
        return _outlines(view, random)
    end = random.uniform(0.8, 2.1) * math.pi
    angles = random.uniform(0, 7) + np.linspace(0, end, 60)
    radii = random.uniform(0.06, 0.45, 2) * min(view.size)
    wobble = 1 + 0.12 * np.sin(2 * angles + random.uniform(0, 7))
    return [np.stack([x + radii[0] * wobble * np.cos(angles), y + radii[1] * np.sin(angles)], 1)]


def _outlines(view: Overview, random: np.random.Generator) -> list[Path]:
    """Return parts of a smooth outline of tissue, on its edge or beside it."""
    tissue = (view.labels == TISSUE).astype(np.float32)
    near = ndimage.gaussian_filter(tissue, random.uniform(4, 25))
    lines = [line for line in find_contours(near, random.uniform(0.08, 0.7)) if len(line) > 60]
    if not lines:
        return []
    line = lines[int(random.integers(len(lines)))][::4, ::-1]
    line = np.roll(line, int(random.integers(len(line))), axis=0) if _is_closed(line) else line
    count = max(int(random.uniform(0.1, 1) * len(line)), 8)
    start = int(random.integers(max(len(line) - count, 0) + 1))
    return [line[start : start + count]]


def _is_closed(line: Path) -> bool:
    return bool(np.abs(line[0] - line[-1]).max() < 8)
