"""Counts of a slide's objects on their way to the file, and of what is left out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import shapely

from lds_path.objects.pieces import LeftOut
from lds_path.objects.style import Style
from lds_path.provenance.stage_folder import StageParameters, StageResults

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass
    from lds_path.objects.geojson import SlideObject


@dataclass(frozen=True, kw_only=True)
class ExportParameters(StageParameters):
    """What becomes an object, and where, as the user asked."""

    stage = "export"

    tolerance_um: float
    min_object_um2: float
    max_hole_um2: float
    frame: str = "bounds"
    """Origin of the coordinates: bounds or level0."""


@dataclass(frozen=True)
class LeftOutSize:
    """How much of a class differs from the labels."""

    count: int
    area_um2: float


@dataclass(frozen=True, kw_only=True)
class ExportResults(StageResults):
    """The objects of a slide, by class, and what is not among them."""

    stage = "export"

    objects: Mapping[str, int]
    vertices: Mapping[str, int]
    area_mm2: Mapping[str, float]
    dropped: Mapping[str, LeftOutSize] | None = None
    """Objects that were too small; None in older folders."""
    filled: Mapping[str, LeftOutSize] | None = None
    """Holes that were too small; None in older folders."""
    annotations: int
    detections: int
    tissue: int | None = None
    """Outlines of tissue, like those of regions, if they were exported."""
    regions: int | None = None
    bytes: int | None = None
    """Of the file of the objects; None in older folders."""
    max_vertices: int
    style: Style
    """As used; coarser than asked for if there were too many vertices."""


class ObjectTally:
    """Counts objects, and what the tracing left out."""

    def __init__(self, max_vertices: int) -> None:
        self.left_out = LeftOut()
        self._max_vertices = max_vertices
        self._objects: Counter[str] = Counter()
        self._vertices: Counter[str] = Counter()
        self._area_um2: defaultdict[str, float] = defaultdict(float)
        self._kinds: Counter[str] = Counter()

    @property
    def is_full(self) -> bool:
        """Whether the objects have more vertices than a slide may have."""
        return self._vertices.total() > self._max_vertices

    def watch(self, objects: Iterable[SlideObject]) -> Iterator[SlideObject]:
        """Yield the objects, until there are too many vertices."""
        for item in objects:
            self._objects[item.class_name] += 1
            self._vertices[item.class_name] += int(shapely.get_num_coordinates(item.geometry))
            self._area_um2[item.class_name] += item.measurements["Area um2"]
            self._kinds[item.kind] += 1
            if self.is_full:
                return
            yield item

    def results(
        self,
        classes: Sequence[LabelClass],
        mpp: float,
        style: Style,
        *,
        file_size: int,
        outlines: tuple[int, int] | None,
    ) -> ExportResults:
        """Return the counts of each class, also of classes without objects.

        Parameters
        ----------
        classes
            Of the labels.
        mpp
            Microns per label pixel.
        style
            Of the objects.
        file_size
            Bytes of their file.
        outlines
            Numbers of outlines of tissue and of regions; None if they are not exported.
        """
        left_out = self.left_out
        tissue, regions = outlines or (None, None)
        return ExportResults(
            objects={item.name: self._objects[item.name] for item in classes},
            vertices={item.name: self._vertices[item.name] for item in classes},
            area_mm2={item.name: round(self._area_um2[item.name] / 1e6, 6) for item in classes},
            dropped=_sizes(classes, left_out.pieces, left_out.piece_pixels, mpp),
            filled=_sizes(classes, left_out.holes, left_out.hole_pixels, mpp),
            annotations=self._kinds["annotation"],
            detections=self._kinds["detection"],
            tissue=tissue,
            regions=regions,
            bytes=file_size,
            max_vertices=self._max_vertices,
            style=style,
        )


def _sizes(
    classes: Sequence[LabelClass], counts: NDArray[Any], pixels: NDArray[Any], mpp: float
) -> dict[str, LeftOutSize]:
    return {
        item.name: LeftOutSize(int(counts[item.value]), round(int(pixels[item.value]) * mpp**2, 3))
        for item in classes
    }
