"""Tiles of one slide at full resolution, made when somebody asks for them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from weakref import finalize

import numpy as np
from PIL import Image

from lds_path.errors import LdsPathError, StageInputError
from lds_path.formats.labels.label_images import open_labels
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.results import StitchResults, TileResults
from lds_path.geometry import Rectangle, Size
from lds_path.provenance.lineage import locate_slide
from lds_path.reporting.zoom.tiles import (
    TILE,
    TileLevel,
    class_colours,
    save_jpeg,
    save_palette,
)
from lds_path.reporting.zoom.viewer import describe_zoom, draw_maps, labels_layer, slide_layer
from lds_path.slides.slide import open_slide

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from lds_path.formats.labels.label_images import Labels
    from lds_path.formats.pyramid import Pyramid
    from lds_path.provenance.cohort import SlideRecord
    from lds_path.reporting.zoom.viewer import Layer, Zoom
    from lds_path.slides.slide import Slide

    Read = Callable[[int, int, Size], NDArray[np.uint8]]

_FINER = 1.2
"""The slide is read where its pixels are this many times finer than those of the pyramid."""


@dataclass(frozen=True)
class TiledLevel:
    """A level of an image that is read as somebody asks for its tiles."""

    size: Size
    read: Read
    """Takes left, top and size of a rectangle of the level."""


@dataclass(frozen=True)
class ServedSlide:
    """A slide; any thread may ask for tiles."""

    record: SlideRecord
    tile: TileResults
    pyramid: Pyramid
    slide_levels: Sequence[TiledLevel]
    """From the finest."""
    mpp: float
    """Microns per pixel of the finest."""
    labels: Labels | None
    maps: Mapping[str, bytes]
    """Name -> layer that is one picture."""

    def describe(self, base: str) -> Zoom:
        """Return its layers for the viewer; `base` starts the addresses of their tiles."""
        finest = [item.size for item in self.slide_levels]
        layers: list[Layer] = [slide_layer(f"{base}/slide", self.mpp, _all_tiles(finest))]
        if self.labels is not None:
            sizes = [self.labels.level_size(level) for level in range(self.labels.level_count)]
            classes = self.labels.classes
            levels = _all_tiles(sizes)
            layers.append(labels_layer(f"{base}/labels", self.labels.mpp, levels, classes))
        layers += [layer for layer, _ in draw_maps(self.record, base)]
        return describe_zoom(self.record.slide, self.tile, self.pyramid, self.mpp, layers)

    def make_tile(self, layer: str, level: int, column: int, row: int) -> bytes | None:
        """Return a tile as JPEG (slide) or PNG (labels); None if there is no such tile.

        Raises
        ------
        StageInputError, SlideProblem
            If what it is made from is damaged.
        """
        levels = self.slide_levels if layer == "slide" else self._label_levels
        if layer not in {"slide", "labels"} or not 0 <= level < len(levels):
            return None
        place = Rectangle(column * TILE, row * TILE, Size(TILE, TILE)).clipped(levels[level].size)
        if place.is_empty or column < 0 or row < 0:
            return None
        pixels = levels[level].read(place.left, place.top, place.size)
        if layer == "slide" or self.labels is None:
            return save_jpeg(pixels)
        return save_palette(pixels, class_colours(self.labels.classes))

    @property
    def _label_levels(self) -> list[TiledLevel]:
        if self.labels is None:
            return []
        return [
            TiledLevel(self.labels.level_size(level), partial(self.labels.read, level))
            for level in range(self.labels.level_count)
        ]


def open_served(record: SlideRecord, results: Path) -> ServedSlide:
    """Return a slide of a results folder, with the files that its layers come from opened.

    Where the slide itself is still where it was, and finer than the pyramid, its own pixels are the
    finest levels.

    Raises
    ------
    StageInputError
        If the slide has no pyramid, or a file of a stage is damaged.
    """
    tile = record.read(TileResults)
    if tile is None:
        raise StageInputError(f"{record.stages['tile'].folder} holds no pyramid")
    pyramid = open_pyramid(record.stages["tile"].folder)
    levels = [
        TiledLevel(pyramid.level_size(level), partial(pyramid.read, level))
        for level in range(pyramid.level_count)
    ]
    slide = _open_finer(record, tile, pyramid, results)
    finer = [] if slide is None else _finer_levels(slide, pyramid)
    stitched = record.read(StitchResults) is not None
    served = ServedSlide(
        record=record,
        tile=tile,
        pyramid=pyramid,
        slide_levels=[*finer, *levels],
        mpp=pyramid.frame.mpp / 2 ** len(finer),
        labels=open_labels(record.stages["stitch"].folders[0]) if stitched else None,
        maps={layer.path.removeprefix("/"): content for layer, content in draw_maps(record, "")},
    )
    for opened in (served.labels, slide):
        if opened is not None:
            finalize(served, opened.close)  # no earlier: a thread may be reading
    return served


def _open_finer(
    record: SlideRecord, tile: TileResults, pyramid: Pyramid, results: Path
) -> Slide | None:
    """Return the slide if it is still there and finer than the pyramid."""
    manifest = record.stages["tile"].manifests[0]
    path = str(manifest.inputs.get("slide", {}).get("path", ""))
    place = locate_slide(path, record.stages["tile"].folder, results)
    if place is None or tile.slide_mpp * _FINER > pyramid.frame.mpp:
        return None
    try:
        return open_slide(place, mpp=tile.slide_mpp, scene=tile.scene, to_srgb=tile.icc_applied)
    except LdsPathError:  # it has become unreadable since; the pyramid has not
        return None


def _finer_levels(slide: Slide, pyramid: Pyramid) -> list[TiledLevel]:
    """Return the levels of a slide above the pyramid, each twice as fine, from the finest."""
    levels: list[TiledLevel] = []
    mpp = pyramid.frame.mpp
    while mpp > slide.mpp * _FINER:
        mpp, factor = mpp / 2, 2 ** (len(levels) + 1)
        size = Size(pyramid.size.width * factor, pyramid.size.height * factor)
        levels.append(TiledLevel(size, partial(_read_slide, slide, mpp / slide.mpp)))
    return levels[::-1]


def _read_slide(
    slide: Slide, downsample: float, left: int, top: int, size: Size
) -> NDArray[np.uint8]:
    """Return a rectangle of a level whose pixels are `downsample` level-0 pixels wide."""
    x, y = left * downsample, top * downsample
    right, bottom = x + size.width * downsample, y + size.height * downsample
    whole = Rectangle.between(int(x), int(y), int(np.ceil(right)), int(np.ceil(bottom)))
    read = Image.fromarray(slide.read_region(0, whole.left, whole.top, whole.size))
    box = (x - whole.left, y - whole.top, right - whole.left, bottom - whole.top)
    enlarges = downsample < 1
    way = Image.Resampling.BILINEAR if enlarges else Image.Resampling.BOX
    return np.asarray(read.resize((size.width, size.height), way, box))


def _all_tiles(sizes: Sequence[Size]) -> list[TileLevel]:
    """Return levels that have all tiles."""
    counts = [size.ceil_div(TILE).area for size in sizes]
    bits = [base64.b64encode(b"\xff" * (-(-count // 8))).decode() for count in counts]
    return [
        TileLevel(size.width, size.height, tiles) for size, tiles in zip(sizes, bits, strict=True)
    ]
