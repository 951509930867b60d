"""What people draw on a slide, as GeoJSON that QuPath exports.

Coordinates are level-0 pixels of the slide, counted from its bounds corner as in QuPath.
"""

from __future__ import annotations

import gzip
import json
import logging
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import shapely
from shapely.affinity import affine_transform
from shapely.geometry import Point, Polygon

from lds_path.errors import LabelsError
from lds_path.objects.polygons import areas_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray
    from shapely.geometry import MultiPolygon
    from shapely.geometry.base import BaseGeometry

log = logging.getLogger(__name__)

T = TypeVar("T")
MAX_BYTES = 2**29
"""Of a file when it is unzipped; its objects take several times as much memory."""
MAX_COORDINATE = 2**31
"""Pixels; shapely computes nothing with much larger numbers, and says nothing."""
_WITHOUT_AREA = ("Point", "MultiPoint", "LineString", "MultiLineString")
_MALFORMED = (AttributeError, LookupError, TypeError, ValueError, shapely.errors.ShapelyError)
_EXPECTED = "expected GeoJSON as QuPath exports it (File > Export objects as GeoJSON)"


@dataclass(frozen=True)
class DrawnObjects:
    """What a person has drawn on a slide."""

    polygons: list[tuple[str, Polygon | MultiPolygon]]
    """Class name, "" if it has none, and area of each object, in the file's order."""
    empty: int
    """Objects left out because their polygon has no area."""


def read_objects(path: Path) -> DrawnObjects:
    """Return the areas in a GeoJSON file.

    Points and lines are left out, also those in a collection of geometries. The file may be
    gzipped. Areas that cross themselves are repaired.

    Raises
    ------
    LabelsError
        If the file is missing, is not GeoJSON, has a geometry of an unknown type or holds no area.
    """
    objects = _read_objects(path, _read_object)
    polygons = [(name, area) for name, area, _ in objects if area is not None]
    empty = sum(area is None and is_area for _, area, is_area in objects)
    if not polygons:
        raise LabelsError(
            f"{path} holds no polygon; draw areas, not points or lines, and export them again"
        )
    if empty:
        log.warning("%s: left out, because they have no area: %d of its polygons", path, empty)
    return DrawnObjects(polygons, empty)


def read_class_names(path: Path) -> list[str]:
    """Return the class names of the areas in a GeoJSON file, as `read_objects`, but at once.

    Raises
    ------
    LabelsError
        If the file is missing or is not GeoJSON.
    """
    objects = _read_objects(
        path, lambda feature: (_class_name(feature), _is_area(feature["geometry"]))
    )
    return list(dict.fromkeys(name for name, is_area in objects if is_area))


def _load(path: Path) -> Any:  # noqa: ANN401 - whatever JSON holds
    try:
        with path.open("rb") as stream:
            zipped = stream.read(2) == b"\x1f\x8b"
        with (gzip.open if zipped else open)(path, "rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise LabelsError(
                f"{path} holds more than {MAX_BYTES // 10**6} million characters, too many for the"
                " memory; export fewer objects, or draw them into a label image"
            )
        return json.loads(content)
    except LabelsError:
        raise
    except FileNotFoundError:
        raise LabelsError(f"{path} does not exist; correct its path in the sheet") from None
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        raise LabelsError(f"{path} cannot be read as JSON ({error}); {_EXPECTED}") from None


def _features(content: Any, path: Path) -> Iterator[Any]:  # noqa: ANN401 - whatever JSON holds
    """Yield the features of a collection, a list, a single feature or a bare geometry."""
    if isinstance(content, list):
        for entry in content:
            yield from _features(entry, path)
        return
    kind = content.get("type") if isinstance(content, dict) else None
    if kind == "FeatureCollection" and isinstance(content.get("features"), list):
        yield from _features(content["features"], path)
    elif kind == "Feature":
        yield content
        properties = content.get("properties")
        if isinstance(properties, dict) and properties.get("childObjects"):
            yield from _features(properties["childObjects"], path)
    elif isinstance(kind, str) and ("coordinates" in content or "geometries" in content):
        yield {"type": "Feature", "geometry": content, "properties": {}}
    else:
        raise LabelsError(f"{path} holds {str(content)[:40]!r}; {_EXPECTED}")


def _read_objects(path: Path, read: Callable[[Any], T]) -> list[T]:
    """Return what a function reads of every feature of a file."""
    content = _load(path)
    objects = []
    try:
        for number, feature in enumerate(_features(content, path), start=1):
            try:
                objects.append(read(feature))
            except _MALFORMED as error:
                raise LabelsError(
                    f"{path}: object {number} is not a GeoJSON feature ({error}); {_EXPECTED}"
                ) from None
    except RecursionError:
        raise LabelsError(f"{path} is nested too deeply; {_EXPECTED}") from None
    return objects


def _read_object(feature: Mapping[str, Any]) -> tuple[str, Polygon | MultiPolygon | None, bool]:
    """Return class name and area of a feature, and whether it was meant to have an area."""
    geometry = feature["geometry"]
    return _class_name(feature), _area(geometry), _is_area(geometry)


def _is_area(geometry: Mapping[str, Any] | None) -> bool:
    return geometry is not None and geometry["type"] not in _WITHOUT_AREA


def _area(geometry: Mapping[str, Any] | None) -> Polygon | MultiPolygon | None:
    """Return what a geometry covers, None if it has no area."""
    parts = [] if geometry is None else [_polygon(rings) for rings in _ring_lists(geometry)]
    whole = shapely.union_all(parts) if len(parts) > 1 else next(iter(parts), None)
    if geometry is None or whole is None:
        return None
    area = areas_of(whole)
    return areas_of(_ellipse(area)) if area is not None and geometry.get("isEllipse") else area


def _ring_lists(geometry: Mapping[str, Any]) -> Iterator[list[Any]]:
    """Yield the rings of each polygon in a geometry."""
    kind = geometry["type"]
    if kind == "GeometryCollection":
        for part in geometry["geometries"]:
            yield from _ring_lists(part)
    elif kind == "MultiPolygon":
        yield from geometry["coordinates"]
    elif kind == "Polygon":
        yield geometry["coordinates"]
    elif kind not in _WITHOUT_AREA:
        raise ValueError(f"its geometry is of the type {str(kind)[:40]!r}")


def _polygon(rings: list[Any]) -> BaseGeometry:
    """Return the polygon of rings; a ring of less than three positions encloses nothing.

    Holes that overlap each other or the outline take away what lies in any of them.
    """
    points = [_positions(ring) for ring in rings]
    if not points or len(points[0]) < 3:
        return Polygon()
    shell, holes = points[0], [hole for hole in points[1:] if len(hole) >= 3]
    polygon = Polygon(shell, holes)
    if polygon.is_valid:
        return polygon
    # Repaired as a whole, what lies in two holes, or in a hole outside, would be filled.
    outline, *taken = (areas_of(Polygon(ring)) or Polygon() for ring in (shell, *holes))
    return shapely.difference(outline, shapely.union_all(taken)) if taken else outline


def _positions(ring: list[Any]) -> NDArray[np.float64]:
    """Return the positions of a ring, (N, 2)."""
    points = np.array(ring, np.float64)
    if not len(points):
        return np.empty((0, 2))
    if points.ndim != 2 or points.shape[1] < 2:
        raise ValueError("a ring is not a list of positions")
    if not (np.abs(points) < MAX_COORDINATE).all():
        raise ValueError("a coordinate is not a number of pixels")
    return points[:, :2]


def _ellipse(outline: BaseGeometry) -> BaseGeometry:
    """Return the ellipse in the outline's bounding box, as QuPath does."""
    left, top, right, bottom = outline.bounds
    circle = Point(0, 0).buffer(1, quad_segs=64)
    radius_x, radius_y = (right - left) / 2, (bottom - top) / 2
    return affine_transform(circle, (radius_x, 0, 0, radius_y, left + radius_x, top + radius_y))


def _class_name(feature: Mapping[str, Any]) -> str:
    classification = (feature.get("properties") or {}).get("classification") or ""
    if isinstance(classification, str):
        return classification
    return str(classification.get("name") or ": ".join(classification.get("names", ())))
