"""Compares the objects of a slide with its label image, as a reader of the files would."""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import shapely
import tifffile
from shapely.geometry import shape

from lds_path.provenance.manifest import read_manifest

if TYPE_CHECKING:
    from pathlib import Path

GRID = 0.01  # of QuPath, in level-0 pixels


@dataclass(frozen=True)
class Audit:
    """What the objects of a slide are, apart from their validity."""

    objects: int
    holes: int
    vertices: int
    errors: dict[str, float]
    """Class -> area of its objects over what the labels, the dropped and the filled say, less 1."""


def check_objects(export: Path, stitch: Path) -> Audit:
    """Check that polygons are valid on the grid and that the manifest tells the truth of the file."""
    made, found = read_manifest(export).results, read_manifest(stitch).results
    path = next(export.glob("*.geojson.gz"))
    features = json.loads(gzip.decompress(path.read_bytes()))["features"]
    names = [feature["properties"]["classification"]["name"] for feature in features]
    areas = np.array([shape(feature["geometry"]) for feature in features])
    points = shapely.get_coordinates(areas)
    np.testing.assert_array_equal(points, np.round(points, 2))
    snapped = shapely.set_precision(areas, GRID, mode="pointwise")
    invalid = np.flatnonzero(~shapely.is_valid(snapped))
    assert not invalid.size, shapely.is_valid_reason(snapped[invalid])
    corners = shapely.transform(areas, lambda at: np.round(at / found["downsample"]))
    off = points - shapely.get_coordinates(corners) * found["downsample"]
    assert abs(off).max() <= GRID / 2 + 1e-6  # each vertex is a corner of a label pixel
    vertices = shapely.get_num_coordinates(areas)
    assert made["bytes"] == path.stat().st_size
    pixels = np.bincount(
        tifffile.imread(next(stitch.glob("*.labels.ome.tif"))).ravel(), minlength=256
    )
    errors = {}
    for each in found["classes"]:
        name = each["name"]
        mine = np.array(names) == name
        assert made["objects"][name] == mine.sum()
        assert made["vertices"][name] == vertices[mine].sum()
        labelled_um2 = pixels[each["value"]] * found["mpp"] ** 2
        dropped, filled = made["dropped"][name], made["filled"][name]
        expected = labelled_um2 - dropped["area_um2"] + filled["area_um2"]
        drawn = shapely.area(corners[mine]).sum() * found["mpp"] ** 2
        if expected == 0:
            assert drawn == 0
            continue
        written = shapely.area(areas[mine]).sum() * (found["mpp"] / found["downsample"]) ** 2
        assert abs(written / drawn - 1) < 1e-4  # the grid
        errors[name] = abs(drawn / expected - 1)
    holes = sum(shapely.get_num_interior_rings(shapely.get_parts(areas)))
    return Audit(len(features), int(holes), int(vertices.sum()), errors)
