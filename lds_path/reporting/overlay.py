"""Pictures of one slide: labels and heat maps over tissue, a legend and a scale bar.

Pixels in, pixels out: nothing here reads or writes a file. Pictures are RGB, (H, W, 3), uint8.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont
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
_BAR_SHARE = 0.25
_BORDER_OPACITY = 0.9


@dataclass(frozen=True)
class ScaleBar:
    """A bar of a round length."""

    length_mm: float
    pixels: int

    @property
    def label(self) -> str:
        """The length as it is written under the bar."""
        if self.length_mm < 0.1:
            return f"{self.length_mm * 1000:g} µm"
        return f"{self.length_mm:g} mm"


@dataclass(frozen=True)
class ColorBar:
    """What the colours of a heat map mean."""

    colormap: str
    low: str
    """Words at the first colour, with the unit."""
    high: str


def scale_bar(mpp: float, width: int) -> ScaleBar:
    """Return the longest bar of 1, 2 or 5 times a power of ten that fits a quarter of a picture.

    Parameters
    ----------
    mpp
        Microns per picture pixel.
    width
        Width of the picture.
    """
    longest_mm = width * _BAR_SHARE * mpp / 1000
    power = 10.0 ** math.floor(math.log10(longest_mm))
    factor = next(factor for factor in (5, 2, 1) if factor * power <= longest_mm * (1 + 1e-9))
    length_mm = float(f"{factor * power:.3g}")
    return ScaleBar(length_mm, max(round(length_mm * 1000 / mpp), 1))


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
    colours = _palette(colormap)[np.rint(np.nan_to_num(position) * 255).astype(np.uint8)]
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


def with_footer(
    picture: NDArray[np.uint8],
    bar: ScaleBar,
    *,
    classes: Sequence[LabelClass] = (),
    color_bar: ColorBar | None = None,
    blank: bool = False,
    letters: int = 46,
) -> Image.Image:
    """Return the picture above a strip with the scale bar and the legend.

    Parameters
    ----------
    picture
        RGB, (H, W, 3).
    bar
        For the picture's pixels.
    classes, color_bar
        What the colours mean.
    blank
        Leave the legend's area empty, for a picture that lies under one with a legend.
    letters
        Height of the letters, as a fraction of the picture's width: one in `letters`.
    """
    height, width = picture.shape[:2]
    unit = max(round(width / letters), 11)
    entries = [_bar_entry(bar, unit)]
    legend = [_class_entry(label_class, unit, width) for label_class in classes]
    entries += [Image.new("RGB", entry.size, PAPER) for entry in legend] if blank else legend
    if color_bar is not None:
        entries.append(_color_bar_entry(color_bar, unit, width))
    strip = _flow(entries, width, unit)
    image = Image.new("RGB", (width, height + strip.height), PAPER)
    image.paste(Image.fromarray(picture), (0, 0))
    image.paste(strip, (0, height))
    ImageDraw.Draw(image).line((0, height, width, height), RULE)
    return image


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
def _palette(colormap: str) -> NDArray[np.uint16]:
    colours = mpl.colormaps[colormap](np.arange(256), bytes=True)
    return np.asarray(colours)[:, :3].astype(np.uint16)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)


def _entry(width: int, unit: int) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (max(width, 1), round(1.6 * unit)), PAPER)
    return image, ImageDraw.Draw(image)


def _text_width(text: str, unit: int) -> int:
    return math.ceil(_font(unit).getlength(text))


def _bar_entry(bar: ScaleBar, unit: int) -> Image.Image:
    text = _text_width(bar.label, unit)
    image, draw = _entry(bar.pixels + unit // 2 + text, unit)
    middle, end = image.height // 2, image.height // 4
    thick = max(unit // 6, 2)
    draw.rectangle((0, middle - thick // 2, bar.pixels - 1, middle + thick // 2), fill=INK)
    for x in (0, max(bar.pixels - thick, 0)):
        draw.rectangle((x, end, x + thick - 1, image.height - end), fill=INK)
    draw.text((bar.pixels + unit // 2, middle), bar.label, INK, _font(unit), anchor="lm")
    return image


def _class_entry(label_class: LabelClass, unit: int, limit: int) -> Image.Image:
    name = _shorten(label_class.name, unit, limit - 3 * unit)
    image, draw = _entry(round(1.5 * unit) + _text_width(name, unit), unit)
    top = (image.height - unit) // 2
    draw.rectangle((0, top, unit, top + unit), fill=label_class.color, outline=INK)
    draw.text((round(1.5 * unit), image.height // 2), name, INK, _font(unit), anchor="lm")
    return image


def _color_bar_entry(color_bar: ColorBar, unit: int, limit: int) -> Image.Image:
    low, high = (_shorten(text, unit, limit // 3) for text in (color_bar.low, color_bar.high))
    before, length = _text_width(low, unit) + unit // 2, min(10 * unit, limit // 4)
    image, draw = _entry(before + length + unit // 2 + _text_width(high, unit), unit)
    middle = image.height // 2
    ramp = _palette(color_bar.colormap)[np.linspace(0, 255, length).astype(int)]
    for x, color in enumerate(ramp.astype(int).tolist()):
        draw.line((before + x, middle - unit // 2, before + x, middle + unit // 2), tuple(color))
    draw.text((0, middle), low, INK, _font(unit), anchor="lm")
    draw.text((before + length + unit // 2, middle), high, INK, _font(unit), anchor="lm")
    return image


def _shorten(text: str, unit: int, limit: int) -> str:
    """Return the text, cut with an ellipsis where it would be wider than the limit."""
    if _text_width(text, unit) <= limit:
        return text
    while len(text) > 1 and _text_width(text + "…", unit) > limit:
        text = text[:-1]
    return text + "…"


def _flow(entries: Sequence[Image.Image], width: int, unit: int) -> Image.Image:
    """Return entries side by side on a strip, in as many rows as they need."""
    gap, left, top = unit, unit // 2, unit // 2
    corners: list[tuple[int, int]] = []
    row = entries[0].height
    for entry in entries:
        if left > unit // 2 and left + entry.width > width - unit // 2:
            left, top = unit // 2, top + row
        corners.append((left, top))
        left += entry.width + gap
    strip = Image.new("RGB", (width, top + row + unit // 2), PAPER)
    for entry, corner in zip(entries, corners, strict=True):
        strip.paste(entry, corner)
    return strip
