"""Reference labels drawn by a person, read in working pixels a window at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
import shapely

from lds_path.errors import LabelsError
from lds_path.geometry import Size
from lds_path.objects.drawn_objects import read_objects
from lds_path.reference.annotated_classes import GEOJSON, value_of
from lds_path.reference.drawing import rasterise
from lds_path.reference.label_image import open_label_image
from lds_path.reference.legend import BACKGROUND, IGNORE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

    from lds_path.formats.mask import Mask
    from lds_path.reference.legend import Legend


class Reference(Protocol):
    """Reference labels of one slide; any thread may read."""

    @property
    def empty_objects(self) -> int:
        """Objects that were left out because they have no area."""

    def read(self, left: int, top: int, size: Size, *, step: int = 1) -> NDArray[np.uint8]:
        """Return a window of labels.

        Parameters
        ----------
        left, top
            Corner in working pixels.
        size
            Extent in working pixels.
        step
            Return only every step-th pixel along each axis, from the middle of each step.

        Returns
        -------
        NDArray
            Values, (height / step, width / step), uint8: classes from 1, 0 for
            background, 255 for unknown, as everything beyond the edges.
        """


class LabelPolygons:
    """Areas with values; where they overlap, the smaller one counts.

    Parameters
    ----------
    areas
        In level-0 pixels from the bounds corner, with their values.
    slide
        Extent of the pyramid in working pixels.
    downsample
        Level-0 pixels per working pixel.
    elsewhere
        Value of pixels that no area covers.
    empty_objects
        Objects that were left out because they have no area.
    """

    def __init__(
        self,
        areas: Sequence[tuple[BaseGeometry, int]],
        slide: Size,
        downsample: float,
        *,
        elsewhere: int,
        empty_objects: int = 0,
    ) -> None:
        self.empty_objects = empty_objects
        self._areas = sorted(areas, key=lambda item: -item[0].area)
        self._tree = shapely.STRtree([area for area, _ in self._areas])
        self._slide, self._downsample, self._elsewhere = slide, downsample, elsewhere

    def read(self, left: int, top: int, size: Size, *, step: int = 1) -> NDArray[np.uint8]:
        """Return a window of labels, see `Reference`."""
        width, height = size.width // step, size.height // step
        x, y = left * self._downsample, top * self._downsample
        scale = step * self._downsample
        window = shapely.box(x, y, x + width * scale, y + height * scale)
        hits = np.sort(self._tree.query(window, predicate="intersects"))
        labels = rasterise(
            [self._areas[hit] for hit in hits.tolist()],
            Size(width, height),
            corner=(x, y),
            downsample=scale,
            elsewhere=self._elsewhere,
        )
        middle = step / 2
        labels[:, left + middle + step * np.arange(width) >= self._slide.width] = IGNORE
        labels[top + middle + step * np.arange(height) >= self._slide.height] = IGNORE
        return labels


@dataclass(frozen=True)
class OnTissue:
    """Reference labels, with a value for tissue without a label."""

    reference: Reference
    tissue: Mask
    value: int

    @property
    def empty_objects(self) -> int:
        """Objects that were left out because they have no area."""
        return self.reference.empty_objects

    def read(self, left: int, top: int, size: Size, *, step: int = 1) -> NDArray[np.uint8]:
        """Return a window of labels, see `Reference`."""
        labels = self.reference.read(left, top, size, step=step)
        window = Size(labels.shape[1], labels.shape[0])
        labels[(labels == BACKGROUND) & self.tissue.read(left, top, window, scale=step)] = (
            self.value
        )
        return labels


@dataclass(frozen=True)
class WithinRoi:
    """Reference labels inside the annotated area; unknown outside."""

    reference: Reference
    roi: Reference

    @property
    def empty_objects(self) -> int:
        """Objects, of both, that were left out because they have no area."""
        return self.reference.empty_objects + self.roi.empty_objects

    def read(self, left: int, top: int, size: Size, *, step: int = 1) -> NDArray[np.uint8]:
        """Return a window of labels, see `Reference`."""
        area = self.roi.read(left, top, size, step=step)
        if (area == IGNORE).all():
            return area
        return np.where(area == IGNORE, area, self.reference.read(left, top, size, step=step))


def open_reference(
    path: Path,
    *,
    legend: Legend,
    slide: Size,
    bounds_l0: Size,
    downsample: float,
    roi: Path | None = None,
    tissue: Mask | None = None,
) -> Reference:
    """Return the reference labels of a slide.

    Parameters
    ----------
    path
        GeoJSON, plain or gzipped, whose objects have a class; or a label image.
    legend
        Meaning of its classes or values.
    slide
        Extent of the slide's pyramid in working pixels.
    bounds_l0
        Extent of the same rectangle in level-0 pixels.
    downsample
        Level-0 pixels per working pixel.
    roi
        GeoJSON of the areas that were annotated; everywhere when None.
    tissue
        Where unlabelled pixels get the class that the legend gives them, if any; the rest is glass.
        Everywhere when None.

    Raises
    ------
    LabelsError
        If a file cannot be read, does not fit the slide, or has an unknown class.
    """
    reference: Reference
    on_tissue = legend.unlabelled_value
    if tissue is not None and on_tissue != IGNORE:
        legend = replace(legend, unlabelled="background")
    if path.name.lower().endswith(GEOJSON):
        areas, empty = _read_areas(path, legend, bounds_l0)
        elsewhere = legend.unlabelled_value
        reference = LabelPolygons(
            areas, slide, downsample, elsewhere=elsewhere, empty_objects=empty
        )
    else:
        reference = open_label_image(path, legend, slide, bounds_l0)
    if legend.unlabelled_value != on_tissue and tissue is not None:
        reference = OnTissue(reference, tissue, on_tissue)
    if roi is None:
        return reference
    drawn = read_objects(roi)
    areas = [(area, 1) for _, area in drawn.polygons]
    _check_inside(roi, areas, bounds_l0)
    annotated = LabelPolygons(areas, slide, downsample, elsewhere=IGNORE, empty_objects=drawn.empty)
    return WithinRoi(reference, annotated)


def _read_areas(
    path: Path, legend: Legend, bounds_l0: Size
) -> tuple[list[tuple[BaseGeometry, int]], int]:
    """Return the areas of a GeoJSON file, in level-0 pixels from the bounds corner.

    The second is the number of objects without an area.
    """
    drawn = read_objects(path)
    areas: list[tuple[BaseGeometry, int]] = []
    for name, area in drawn.polygons:
        value = value_of(path, name, legend)
        if value is not None:
            areas.append((area, value))
    _check_inside(path, areas, bounds_l0)
    return areas, drawn.empty


def _check_inside(path: Path, areas: Sequence[tuple[BaseGeometry, int]], bounds_l0: Size) -> None:
    slide = shapely.box(0, 0, bounds_l0.width, bounds_l0.height)
    outside = [area for area, _ in areas if not area.intersects(slide)]
    if outside:
        x, y = outside[0].bounds[:2]
        raise LabelsError(
            f"{path} has {len(outside)} of {len(areas)} objects outside the slide, the first at"
            f" ({x:.0f}, {y:.0f}) of {bounds_l0.width} x {bounds_l0.height} pixels; check that it"
            " belongs to this slide, in pixels from its bounds corner as QuPath exports them"
        )
