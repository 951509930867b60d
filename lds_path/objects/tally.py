"""What is counted of a slide's objects on their way to the file, and of what never came there."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import shapely

from lds_path.objects.pieces import LeftOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from lds_path.classes import LabelClass
    from lds_path.objects.geojson import SlideObject


class ObjectTally:
    """Counts objects, and holds what the tracing left out."""

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

    def results(self, classes: Sequence[LabelClass], mpp: float) -> dict[str, Any]:
        """Return the counts of each class, also of those that were not found."""
        left_out = self.left_out
        return {
            "objects": {each.name: self._objects[each.name] for each in classes},
            "vertices": {each.name: self._vertices[each.name] for each in classes},
            "area_mm2": {each.name: round(self._area_um2[each.name] / 1e6, 6) for each in classes},
            "dropped": _sizes(classes, left_out.pieces, left_out.piece_pixels, mpp),
            "filled": _sizes(classes, left_out.holes, left_out.hole_pixels, mpp),
            "annotations": self._kinds["annotation"],
            "detections": self._kinds["detection"],
        }


def _sizes(
    classes: Sequence[LabelClass], counts: NDArray[Any], pixels: NDArray[Any], mpp: float
) -> dict[str, dict[str, float]]:
    return {
        each.name: {
            "count": int(counts[each.value]),
            "area_um2": round(int(pixels[each.value]) * mpp**2, 3),
        }
        for each in classes
    }
