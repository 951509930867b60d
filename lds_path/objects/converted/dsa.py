"""Objects as an annotation of the Digital Slide Archive (HistomicsUI, large_image).

The format is the JSON of large_image's annotation schema: closed polylines with holes, grouped by
class. Coordinates are those of the GeoJSON file that it is converted from.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Any

from lds_path.objects.geojson import read_features
from lds_path.provenance.complete_file import complete_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_FILL_OPACITY = 0.3


def write_dsa(path: Path, geojson: Path, *, slide: str) -> int:
    """Write the objects of a file of `write_geojson` for DSA; return the number of elements.

    One object is in memory at a time. An object of several polygons becomes as many elements.

    Parameters
    ----------
    path
        File to write, complete or absent, gzipped.
    geojson
        Gzipped file with one object a line.
    slide
        Id of the slide.
    """
    count = 0
    with (
        complete_file(path) as partial,
        partial.open("wb") as file,
        gzip.GzipFile("", "wb", 6, file, mtime=0) as stream,
    ):
        name = json.dumps(f"lds-path {slide}")
        stream.write(f'{{"name":{name},"description":"","elements":['.encode())
        for feature in read_features(geojson):
            for element in _elements(feature):
                stream.write(b",\n" if count else b"\n")
                stream.write(json.dumps(element, separators=(",", ":")).encode())
                count += 1
        stream.write(b"\n]}\n")
    return count


def _elements(feature: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    geometry, properties = feature["geometry"], feature["properties"]
    kind = properties["classification"]
    color = ",".join(str(channel) for channel in kind["color"])
    shapes = geometry["coordinates"]
    for part, rings in enumerate([shapes] if geometry["type"] == "Polygon" else shapes):
        shell, *holes = (_points(ring) for ring in rings)
        identity = hashlib.sha256(f"{feature['id']} {part}".encode()).hexdigest()[:24]
        yield {
            "id": identity,
            "type": "polyline",
            "closed": True,
            "points": shell,
            **({"holes": holes} if holes else {}),
            "lineColor": f"rgb({color})",
            "fillColor": f"rgba({color},{_FILL_OPACITY})",
            "lineWidth": 2,
            "group": kind["name"],
            "label": {"value": kind["name"]},
            "user": properties.get("measurements", {}),
        }


def _points(ring: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return a ring as points with z = 0, without its last point, which `closed` implies."""
    return [[x, y, 0] for x, y in ring[:-1]]
