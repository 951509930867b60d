"""Pictures of one slide: labels and heat maps over tissue, a legend and a scale bar.

Pixels in, pixels out: nothing here reads or writes a file. Pictures are RGB, (H, W, 3), uint8.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass
    from lds_path.quality.picture_scale import Box

Color = tuple[int, int, int]

INK: Color = (32, 36, 40)
PAPER: Color = (255, 255, 255)
OUTLINE: Color = (0, 90, 181)
FRAME: Color = (20, 20, 20)
QUIET: Color = (140, 146, 152)
RULE: Color = (214, 217, 220)
_BORDER_OPACITY = 0.9


def colour_labels(
    picture: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    classes: Sequence[LabelClass],
    *,
    opacity: float = 0.45,
) -> NDArray[np.uint8]:
    """Return the picture with each class in its colour over it, and its borders opaque.

    Label 0 leaves the picture as it is.
    """
    palette = np.zeros((256, 3), np.uint16)
    strength = np.zeros((256, 2), np.uint16)  # inside, and on borders
    for label_class in classes:
        palette[label_class.value] = label_class.color
        strength[label_class.value] = round(255 * opacity), round(255 * _BORDER_OPACITY)
    return _mix(picture, palette[labels], strength[labels, _borders(labels).astype(np.uint8)])


def colour_values(
    picture: NDArray[np.uint8],
    values: NDArray[np.float32],
    *,
    low: float,
    high: float,
    colormap: str,
    opacity: float = 0.7,
) -> NDArray[np.uint8]:
    """Return the picture with a heat map over it; NaN leaves the picture as it is.

    Parameters
    ----------
    picture
        RGB, (H, W, 3).
    values
        (H, W); `low` takes the first colour of the map and `high` the last.
    """
    position = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    colours = palette(colormap)[np.rint(np.nan_to_num(position) * 255).astype(np.uint8)]
    return _mix(picture, colours, np.where(np.isnan(values), 0, round(255 * opacity)))


def colour_pitch(
    picture: NDArray[np.uint8],
    pitch: NDArray[np.float32],
    *,
    fine: float,
    coarse: float,
    colormap: str,
    opacity: float = 0.7,
) -> NDArray[np.uint8]:
    """Return the picture with a heat map of sampling pitches, by their logarithm, the finest last.

    Parameters
    ----------
    picture
        RGB, (H, W, 3).
    pitch
        (H, W), in any unit; NaN leaves the picture as it is.
    fine, coarse
        Pitches that take the last and the first colour of the map.
    """
    return colour_values(
        picture,
        -np.log2(pitch),
        low=-math.log2(coarse),
        high=-math.log2(fine),
        colormap=colormap,
        opacity=opacity,
    )


def draw_outline(
    picture: NDArray[np.uint8], mask: NDArray[np.bool_], color: Color = OUTLINE
) -> NDArray[np.uint8]:
    """Return the picture with the inner border of a mask drawn on it and the rest paler."""
    line = max(round(max(mask.shape) / 500), 1)
    inner = ndimage.binary_erosion(mask, iterations=line, border_value=False)
    pale = np.where(mask[..., None], picture, 255 - (255 - picture) // 3)
    return np.where((mask & ~inner)[..., None], np.array(color, np.uint8), pale).astype(np.uint8)


def draw_boxes(
    picture: NDArray[np.uint8],
    boxes: Sequence[Box],
    *,
    chosen: int | None = None,
    color: Color = FRAME,
    width: int = 1,
) -> NDArray[np.uint8]:
    """Return the picture with thin frames, the chosen one thick."""
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for box in boxes:
        draw.rectangle(box, outline=color, width=width)
    if chosen is not None:
        thick = max(round(max(image.size) / 300), 2)
        draw.rectangle(boxes[chosen], outline=PAPER, width=2 * thick)
        draw.rectangle(boxes[chosen], outline=OUTLINE, width=thick)
    return np.asarray(image)


def draw_grid(
    picture: NDArray[np.uint8], positions: NDArray[np.float32], *, step: int
) -> NDArray[np.uint8]:
    """Return the picture of a region, paler, with every `step`-th line of its sampling grid on it.

    Convention: positions are (x, y) in [-1, 1], (h, w, 2), the outer pixel edges at -1 and 1.
    """
    image = Image.fromarray(255 - (255 - picture) // 2)
    draw = ImageDraw.Draw(image)
    extent = np.array(image.size, np.float32)
    points = (positions + 1) / 2 * extent - 0.5  # (h, w, 2)
    start = step // 2
    for line in (*points[start::step], *points.transpose(1, 0, 2)[start::step]):
        draw.line([(float(x), float(y)) for x, y in line], fill=FRAME, width=1)
    return np.asarray(image)


def _mix(
    picture: NDArray[np.uint8], colours: NDArray[np.uint16], strength: NDArray[np.integer]
) -> NDArray[np.uint8]:
    """Return colours over a picture, as strong as each pixel's number of 0 to 255 says."""
    strength = strength.astype(np.uint16)[..., None]
    colours *= strength
    colours += picture * (255 - strength)
    colours += 127
    colours //= 255
    return colours.astype(np.uint8)


def _borders(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the pixels whose right or lower neighbour has another label."""
    borders = np.zeros(labels.shape, bool)
    borders[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    borders[:-1] |= labels[:-1] != labels[1:]
    return borders


@cache
def palette(colormap: str) -> NDArray[np.uint16]:
    """Return the 256 colours of a colour map of matplotlib, (256, 3)."""
    colours = mpl.colormaps[colormap](np.arange(256), bytes=True)
    return np.asarray(colours)[:, :3].astype(np.uint16)
