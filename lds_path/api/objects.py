"""The objects of a slide as a table with geometries, or as GeoJSON."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

from lds_path.errors import named_damage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_objects(path: Path, *, um_per_unit: float, corner: tuple[float, float]) -> Any:  # noqa: ANN401
    """Return objects in microns from the corner of the slide's bounds.

    Parameters
    ----------
    path
        File of the stage export.
    um_per_unit
        Microns per unit of its coordinates.
    corner
        Where the bounds begin in its coordinates, (x, y).

    Returns
    -------
    geopandas.GeoDataFrame or dict
        With the columns `class`, `color`, `kind` and one for each measurement. Without geopandas a
        FeatureCollection whose properties these are.

    Raises
    ------
    StageInputError
        If the file is damaged.
    """
    with named_damage(path, "export"), gzip.open(path, "rt", encoding="utf-8") as stream:
        features = json.load(stream)["features"]
        placed = [
            {
                "type": "Feature",
                "id": feature["id"],
                "properties": dict(_properties(feature["properties"])),
                "geometry": feature["geometry"]
                | {"coordinates": _place(feature["geometry"]["coordinates"], um_per_unit, corner)},
            }
            for feature in features
        ]
    try:
        import geopandas
    except ImportError:
        return {"type": "FeatureCollection", "features": placed}
    columns = None if placed else ["geometry", "class", "color", "kind"]
    return geopandas.GeoDataFrame.from_features(placed, columns=columns)


def _properties(stored: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the properties of an object of QuPath without their nesting."""
    yield "class", stored["classification"]["name"]
    yield "color", "#{:02x}{:02x}{:02x}".format(*stored["classification"]["color"])
    yield "kind", stored["objectType"]
    yield from stored["measurements"].items()


def _place(coordinates: Any, um_per_unit: float, corner: tuple[float, float]) -> Any:  # noqa: ANN401
    """Return nested coordinates in microns."""
    if isinstance(coordinates[0], list):
        return [_place(part, um_per_unit, corner) for part in coordinates]
    return [(value - start) * um_per_unit for value, start in zip(coordinates, corner, strict=True)]
