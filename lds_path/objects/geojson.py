"""GeoJSON in and out, as QuPath reads and writes it.

Coordinates are level-0 pixels of the slide, counted from its bounds corner as in QuPath, unless a
caller shifts them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import uuid
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from lds_path.provenance.complete_file import complete_file
from lds_path.read_ahead import read_ahead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Literal

    from numpy.typing import NDArray
    from shapely.geometry import MultiPolygon, Polygon

log = logging.getLogger(__name__)

_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "lds-path")
_DECIMALS = 2
_GZIP_LEVEL = 5
"""Files are 1 % larger than at level 6, in less than half the time."""
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_POINTS = 2**14
"""Points that become text at a time: GEOS takes a hundred bytes for each."""
_PART = 2**20
_BATCH = 256


@dataclass(frozen=True)
class SlideObject:
    """An area of one class, as QuPath shows it."""

    geometry: Polygon | MultiPolygon
    class_name: str
    color: tuple[int, int, int]
    kind: Literal["annotation", "detection"] = "annotation"
    """QuPath edits annotations and is fast with many detections."""
    measurements: Mapping[str, float] = field(default_factory=dict)
    name: str = ""
    """Name in QuPath's list of annotations."""
    locked: bool = True
    """Whether QuPath refuses to change it until it is unlocked."""


def write_geojson(path: Path, objects: Iterable[SlideObject], *, slide: str) -> int:
    """Write objects as a GeoJSON FeatureCollection and return their number.

    A few hundred objects are in memory at a time. The same objects give the same bytes.

    Parameters
    ----------
    path
        File to write; complete or absent. Gzipped when the name ends in `.gz`.
    objects
        Each valid once its coordinates are rounded to two decimals.
    slide
        Id of the slide; part of the ids of its objects.
    """
    count = 0
    with complete_file(path) as partial, partial.open("wb") as file:
        zipped = path.suffix == ".gz"
        stream = gzip.GzipFile("", "wb", _GZIP_LEVEL, file, mtime=0) if zipped else file

        def texts() -> Iterator[bytes]:
            nonlocal count
            yield b'{"type":"FeatureCollection","features":['
            remaining = iter(objects)
            while batch := list(islice(remaining, _BATCH)):
                for item, text in zip(batch, _texts(batch), strict=True):
                    yield b",\n" if count else b"\n"
                    yield from _to_feature(item, text, slide)
                    count += 1
            yield b"\n]}\n"

        for _ in read_ahead(stream.write, _gather(texts()), threads=1, ahead=2):
            pass
        if zipped:
            stream.close()
    return count


def read_features(path: Path) -> Iterator[Mapping[str, Any]]:
    """Yield the objects of a gzipped file of `write_geojson`; one is in memory at a time."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith('{"type":"Feature",'):
                yield json.loads(line.rstrip().removesuffix(","))


def _gather(texts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in parts of one size, which another thread compresses."""
    gathered = bytearray()
    for text in texts:
        gathered += text
        begin = 0
        while len(gathered) - begin >= _PART:
            yield bytes(gathered[begin : begin + _PART])
            begin += _PART
        del gathered[:begin]
    yield bytes(gathered)


def write_classes(path: Path, classes: Mapping[str, tuple[int, int, int]]) -> None:
    """Write the classes and their colours as a QuPath project stores them."""
    listed = [{"name": name, "color": _packed(color)} for name, color in classes.items()]
    path.write_text(json.dumps({"pathClasses": listed}, indent=1) + "\n", encoding="utf-8")


def _to_feature(item: SlideObject, geometry: bytes, slide: str) -> Iterator[bytes]:
    """Yield an object as text of GeoJSON, its coordinates without another copy of them."""
    properties = {
        "objectType": item.kind,
        **({"name": item.name} if item.name else {}),
        "classification": {"name": item.class_name, "color": list(item.color)},
        **({"isLocked": True} if item.locked else {}),
        "measurements": dict(item.measurements),
    }
    text = _encode(properties)
    identity = _identity(f"{slide}\n{item.class_name}\n".encode(), geometry)
    yield f'{{"type":"Feature","id":"{identity}","geometry":'.encode()
    yield geometry
    yield f',"properties":{text}}}'.encode()


def _identity(owner: bytes, geometry: bytes) -> uuid.UUID:
    """Return what `uuid.uuid5` does for both texts, which copies them three times."""
    digest = hashlib.sha1(_NAMESPACE.bytes, usedforsecurity=False)
    digest.update(owner)
    digest.update(geometry)
    return uuid.UUID(bytes=digest.digest()[:16], version=5)


def _texts(objects: Sequence[SlideObject]) -> Iterator[bytes]:
    """Yield the coordinates with two decimals, or none if they are whole numbers."""
    rounded = shapely.transform(
        [item.geometry for item in objects],
        lambda points: np.round(points, _DECIMALS) + 0.0,  # no -0
    )
    counts = shapely.get_num_coordinates(rounded).tolist()
    for geometry, count in zip(rounded, counts, strict=True):
        if count <= _POINTS:
            yield _shorten(shapely.to_geojson(geometry))
            continue
        polygons = b",".join(map(_long_text, shapely.get_parts(geometry)))
        coordinates = polygons if geometry.geom_type == "Polygon" else b"[%b]" % polygons
        yield b'{"type":"%b","coordinates":%b}' % (geometry.geom_type.encode(), coordinates)


def _long_text(polygon: Polygon) -> bytes:
    """Return the coordinates of a polygon, written some at a time."""
    return b"[%b]" % b",".join(
        b"[%b]" % b",".join(map(_text_of_points, _split(shapely.get_coordinates(ring))))
        for ring in (polygon.exterior, *polygon.interiors)
    )


def _split(points: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    return np.array_split(points, -(-len(points) // _POINTS))


def _text_of_points(points: NDArray[np.float64]) -> bytes:
    """Return points, at least two, as `[x,y],[x,y]`."""
    text = _shorten(shapely.to_geojson(shapely.LineString(points)))
    return text[text.index(b"[") + 1 : text.rindex(b"]")]


def _shorten(text: str) -> bytes:
    return text.replace(".0,", ",").replace(".0]", "]").encode()


def _packed(color: tuple[int, int, int]) -> int:
    """Return an opaque colour as the signed 32-bit ARGB number of Java."""
    red, green, blue = color
    return (0xFF << 24 | red << 16 | green << 8 | blue) - 2**32
