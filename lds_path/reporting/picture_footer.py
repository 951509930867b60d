"""What stands below a picture: its legend and its scale bar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from lds_path.reporting.overlay import INK, PAPER, RULE, palette

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass

_BAR_SHARE = 0.25


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
    ramp = palette(color_bar.colormap)[np.linspace(0, 255, length).astype(int)]
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
