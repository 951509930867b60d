"""Objects as GeoParquet 1.1, which geopandas, R, DuckDB and GDAL read.

Coordinates are those of the GeoJSON file that it is converted from. They have no coordinate
reference system; what they are is stated under the key `lds_path` of the file's metadata.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any

import shapely

from lds_path.errors import UsageError
from lds_path.objects.geojson import read_features
from lds_path.provenance.complete_file import complete_file

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

MEASUREMENTS = ("Area um2", "Perimeter um", "Solidity", "Mean confidence")
"""A column each, null where it was not measured."""
_TEXTS = ("id", "class", "color", "kind")
_BATCH = 4096
_GEO = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {
        "geometry": {
            "encoding": "WKB",
            "geometry_types": ["Polygon", "MultiPolygon"],
            "crs": None,
            "edges": "planar",
        }
    },
}


def check_pyarrow() -> None:
    """Raise a `UsageError` unless pyarrow is installed."""
    if find_spec("pyarrow") is None:
        raise UsageError(
            "`export: parquet` needs the package pyarrow, which is not installed; run"
            " pip install pyarrow, or leave the option out"
        )


def write_geoparquet(
    path: Path, geojson: Path, *, slide: str, frame: str, um_per_unit: float
) -> None:
    """Write the objects of a file of `write_geojson`, a few thousand at a time.

    Parameters
    ----------
    path
        File to write; complete or absent.
    geojson
        Gzipped file with one object a line.
    slide
        Id of the slide.
    frame
        Origin of the coordinates: bounds or level0.
    um_per_unit
        Microns per unit of the coordinates.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetWriter

    about = {
        "slide": slide,
        "frame": frame,
        "unit": "level-0 pixel",
        "um_per_unit": um_per_unit,
    }
    fields = [("geometry", pa.binary()), *((name, pa.string()) for name in _TEXTS)]
    fields += [(name, pa.float64()) for name in MEASUREMENTS]
    schema = pa.schema(fields, {"geo": json.dumps(_GEO), "lds_path": json.dumps(about)})
    features = read_features(geojson)
    with (
        complete_file(path) as partial,
        ParquetWriter(partial, schema, compression="zstd") as writer,
    ):
        while batch := list(islice(features, _BATCH)):
            writer.write_batch(pa.RecordBatch.from_pylist(_rows(batch), schema))


def _rows(features: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the columns of each object; those that `lds_path.api.objects` gives, and its id."""
    texts = [json.dumps(feature["geometry"]) for feature in features]
    areas = shapely.to_wkb(shapely.from_geojson(texts))
    rows = []
    for feature, area in zip(features, areas, strict=True):
        properties = feature["properties"]
        red, green, blue = properties["classification"]["color"]
        row = {
            "geometry": area,
            "id": feature["id"],
            "class": properties["classification"]["name"],
            "color": f"#{red:02x}{green:02x}{blue:02x}",
            "kind": properties["objectType"],
        }
        rows.append(row | properties["measurements"])
    return rows
