"""What the viewer of a page is given: the layers of a slide, where their files are, what they mean.

Everything starts at the same corner, that of the slide's bounds.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from lds_path.errors import StageInputError
from lds_path.formats.grey_image import open_confidence
from lds_path.formats.labels.label_images import open_labels
from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.results import AssessResults, StitchResults, TileResults
from lds_path.pixels.artefacts import KINDS
from lds_path.provenance.typed_json import to_json
from lds_path.quality.metrics.metric import format_number
from lds_path.reporting.pictures import ARTEFACT_COLORS, BLURRED, CONFIDENCE_MAP, DENSITY_MAP
from lds_path.reporting.zoom.layers import (
    ARTEFACTS_NAME,
    DENSITY_NAME,
    draw_confidence,
    lowest_confidence,
    ramp,
)
from lds_path.reporting.zoom.tiles import (
    TILE,
    TileLevel,
    finest_level,
    write_label_tiles,
    write_slide_tiles,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from lds_path.classes import LabelClass
    from lds_path.formats.pyramid import Pyramid
    from lds_path.provenance.cohort import SlideRecord
    from lds_path.provenance.stage_folder import StageFolder

log = logging.getLogger(__name__)

_RAMP = 6
"""Colours of a scale in the legend."""


@dataclass(frozen=True)
class ColourScale:
    """The legend of a map."""

    colours: tuple[str, ...]
    """As CSS writes them, from the lowest value."""
    low: str
    high: str


@dataclass(frozen=True)
class ClassColour:
    """An entry of the legend."""

    name: str
    colour: str


@dataclass(frozen=True)
class Layer:
    """One image over the slide, or the slide itself, which is the first."""

    name: str
    """In addresses: slide, labels, confidence, density or artefacts."""
    title: str
    path: str
    """Of the folder of tiles, or of the only picture, from the page."""
    mpp: float
    """Microns per pixel of the finest level."""
    levels: tuple[TileLevel, ...]
    """From the finest; of a picture the only one, without tiles."""
    ending: str = "png"
    opacity: float = 0.6
    shown: bool = False
    classes: tuple[ClassColour, ...] = ()
    scale: ColourScale | None = None


@dataclass(frozen=True)
class Zoom:
    """The layers of one slide."""

    slide: str
    slide_mpp: float
    """Microns per level-0 pixel, in which positions are given."""
    mpp: float
    """Microns per pixel of the finest level of the slide."""
    width_um: float
    height_um: float
    glass: int
    """Grey value of glass, behind the tiles."""
    tile: int = TILE
    layers: tuple[Layer, ...] = field(default_factory=tuple)

    def to_json(self) -> Any:  # noqa: ANN401 - any JSON
        """Return it as the script of the page reads it."""
        return to_json(dict(vars(self)))


def write_zoom(
    record: SlideRecord, folder: Path, path: str, *, mpp: float | None, threads: int
) -> Zoom | None:
    """Write the tiles and layers of a slide; None if there is nothing to zoom into.

    That is so without a pyramid, and where a file of a stage is damaged, which the log says.

    Parameters
    ----------
    record
        The slide; of its layers those are written whose stage is done.
    folder
        To write.
    path
        The same, from the page.
    mpp
        Microns per pixel of the finest level, see `tiles.finest_level`; None: write nothing.
    threads
        Tiles that are encoded at the same time.
    """
    tile = record.read(TileResults)
    if mpp is None or tile is None:
        return None
    try:
        pyramid = open_pyramid(record.stages["tile"].folder)
        first = finest_level(pyramid, mpp)
        levels = write_slide_tiles(pyramid, first, folder / "slide", threads=threads)
        finest = pyramid.frame.mpp * 2**first
        layers = [slide_layer(f"{path}/slide", finest, levels)]
        if record.read(StitchResults) is not None:
            stitch = record.stages["stitch"].folders[0]
            layers.append(_write_labels(stitch, folder, path, finest, threads))
        for layer, content in draw_maps(record, path):
            (folder / PurePosixPath(layer.path).name).write_bytes(content)
            layers.append(layer)
    except StageInputError as error:
        log.warning("%s has no viewer: %s", record.slide, error)
        shutil.rmtree(folder, ignore_errors=True)
        return None
    return describe_zoom(record.slide, tile, pyramid, finest, layers)


def describe_zoom(
    slide: str, tile: TileResults, pyramid: Pyramid, finest: float, layers: Sequence[Layer]
) -> Zoom:
    """Return the layers of a slide whose finest level has `finest` microns per pixel."""
    size, mpp = pyramid.size, pyramid.frame.mpp
    return Zoom(
        slide,
        tile.slide_mpp,
        finest,
        size.width * mpp,
        size.height * mpp,
        pyramid.background,
        layers=tuple(layers),
    )


def slide_layer(path: str, mpp: float, levels: Sequence[TileLevel]) -> Layer:
    """Return the layer of the slide itself."""
    return Layer("slide", "Slide", path, mpp, tuple(levels), ending="jpg", opacity=1, shown=True)


def labels_layer(
    path: str, mpp: float, levels: Sequence[TileLevel], classes: Sequence[LabelClass]
) -> Layer:
    """Return the layer of the labels."""
    return Layer(
        "labels",
        "Labels",
        path,
        mpp,
        tuple(levels),
        opacity=0.4,
        shown=True,
        classes=_legend(classes),
    )


def _write_labels(
    stitch: StageFolder, folder: Path, path: str, finest: float, threads: int
) -> Layer:
    with open_labels(stitch) as labels:
        first = 0
        while first + 1 < labels.level_count and labels.mpp * 2**first < finest * 0.75:
            first += 1
        levels = write_label_tiles(labels, first, folder / "labels", threads=threads)
        return labels_layer(f"{path}/labels", labels.mpp * 2**first, levels, labels.classes)


def draw_maps(record: SlideRecord, path: str) -> list[tuple[Layer, bytes]]:
    """Return the layers that are one picture each, with its content, of the stages that are done.

    Parameters
    ----------
    record
        The slide.
    path
        Of the folder with the pictures, from the page.

    Raises
    ------
    StageInputError
        If a file of a stage is damaged.
    """
    return [*_draw_confidence(record, path), *_read_drawn(record, path)]


def _draw_confidence(record: SlideRecord, path: str) -> list[tuple[Layer, bytes]]:
    stitched = record.read(StitchResults)
    if stitched is None:
        return []
    confidence = open_confidence(record.stages["stitch"].folders[0])
    class_count = len(stitched.classes)
    height, width = confidence.pixels.shape
    low = format_number(lowest_confidence(class_count))
    layer = Layer(
        "confidence",
        "Confidence",
        f"{path}/confidence.png",
        stitched.mpp * confidence.downsample,
        (TileLevel(width, height, ""),),
        scale=_scale(CONFIDENCE_MAP, f"unsure, {low}", "1, sure"),
    )
    return [(layer, draw_confidence(confidence.pixels, class_count))]


def _read_drawn(record: SlideRecord, path: str) -> list[tuple[Layer, bytes]]:
    """Return the layers that assess drew; none if an earlier version did not."""
    assessed = record.read(AssessResults)
    if assessed is None or assessed.pitch_um is None:
        return []
    view = (TileLevel(assessed.view.width, assessed.view.height, ""),)
    mpp, (fine, coarse) = assessed.view.mpp, assessed.pitch_um
    pitch = _scale(DENSITY_MAP, f"a sample every {coarse:.2g} µm", f"every {fine:.2g} µm")
    kinds = _legend([*(ARTEFACT_COLORS[kind] for kind in KINDS), BLURRED])
    density = Layer("density", "Sampling density", f"{path}/{DENSITY_NAME}", mpp, view, scale=pitch)
    artefacts = Layer(
        "artefacts", "Artefacts", f"{path}/{ARTEFACTS_NAME}", mpp, view, classes=kinds
    )
    assess = record.stages["assess"].folders[0]
    return [
        (density, assess.file(DENSITY_NAME).read_bytes()),
        (artefacts, assess.file(ARTEFACTS_NAME).read_bytes()),
    ]


def _legend(classes: Sequence[LabelClass]) -> tuple[ClassColour, ...]:
    return tuple(ClassColour(item.name, _css(item.color)) for item in classes)


def _scale(colormap: str, low: str, high: str) -> ColourScale:
    return ColourScale(tuple(map(_css, ramp(colormap, _RAMP))), low, high)


def _css(color: Sequence[int]) -> str:
    return "#" + "".join(f"{int(part):02x}" for part in color)
