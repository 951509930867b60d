"""Compare the package's outlines of labels with those of GDAL and GEOS; for docs/speed.md.

Both trace the same label image, simplify the outlines so that neighbours keep a common border, and
place them on QuPath's grid of 0.01 pixels: the package strip by strip, the libraries by
`rasterio.features.shapes` and `shapely.coverage_simplify`. One thread, processor time.

    python tests/benchmark/tracing_contest.py --folder build/contest
"""

from __future__ import annotations

import json
import os
import platform
import resource
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import click
import numpy as np
import rasterio.features
import shapely
from many_objects import CELL, CLASSES, MPP, draw_shapes
from page import write_section

from lds_path.formats.labels.label_images import (
    BLOCK,
    Labels,
    label_blocks,
    open_labels,
    write_labels,
)
from lds_path.geometry import Size
from lds_path.objects import polygons
from lds_path.objects.pieces import trace_labels
from lds_path.objects.polygons import place_on_grid

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from shapely.geometry.base import BaseGeometry

PAGE = Path(__file__).parent.parent.parent / "docs/speed.md"
IMAGES = {
    "glass": (8192, CELL, False),
    "tissue": (4096, CELL, True),
    "gigapixel": (32_768, 4 * CELL, False),
}
"""Side of the image and of the square around each of its cells, in pixels; whether in tissue."""
TRACERS = ("package", "libraries")
TOLERANCE = 2.0
SCALE, OFFSET = 1.00049, (1000.0, 7.126)
"""Of the outlines on the slide: as where levels are not a whole factor apart."""
RUNS = 3
LIMIT_S = 60
"""Of processor time, for one run."""
HEADER = (
    "| image | outlines of | processor s | peak MiB | objects | vertices |"
    " largest deviation | area kept | crossed on the grid |\n"
    "| --- | --- | ---: | ---: | ---: | ---: | ---: | --- | ---: |"
)


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--case", help="For internal use: image and tracer.")
def main(folder: Path, case: str | None) -> None:
    """Measure, and write the section of docs/speed.md on tracing."""
    if case is not None:
        image, tracer = case.split(",")
        click.echo(json.dumps(measure(folder / f"{image}.ome.tif", tracer, TOLERANCE)))
        return
    rows = []
    for image, (side, square, tissue) in IMAGES.items():
        path = folder / f"{image}.ome.tif"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            paint(path, side, square, tissue)
        for tracer in TRACERS:
            runs = []
            while len(runs) < RUNS and (found := run(folder, f"{image},{tracer}")) is not None:
                runs.append(found)
            rows.append(describe(image, tracer, runs))
            click.echo(rows[-1])
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    text = (
        "Written by `python tests/benchmark/tracing_contest.py --folder build/contest`:"
        f" processor time of one thread, least of {RUNS} runs, {machine};"
        f" GEOS {'.'.join(map(str, shapely.geos_version))}, GDAL {rasterio.__gdal_version__}."
        " Reading the label image is part of time and memory, interpreter and imports are not."
        " `glass` has 65,536 cells on 0.07 gigapixels, `tissue` 16,384 in tissue of one piece,"
        " `gigapixel` 65,536 far apart on 1.07 gigapixels. Tolerance 2 pixels; the deviation is"
        " that of up to 2,000 cells from their true outlines, in pixels. `area kept`: before anything is simplified the polygons have the"
        " pixels of the labels. `crossed on the grid`: polygons that are not valid with coordinates"
        " rounded to 0.01, and are cut into valid ones.\n\n"
    )
    write_section(PAGE, "tracing", text + "\n".join([HEADER, *rows]))


def run(folder: Path, case: str) -> dict | None:
    """Return what a process of its own measured; None if it did not end in time."""
    command = [sys.executable, __file__, "--folder", str(folder), "--case", case]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == -signal.SIGXCPU:
        return None
    done.check_returncode()
    return json.loads(done.stdout)


def paint(path: Path, side: int, square: int, tissue: bool) -> None:
    """Write a label image of cells, one in each square, on glass or in tissue of one piece."""
    shapes = draw_shapes()
    kinds = np.random.default_rng(2).integers(len(shapes), size=(side // square, side // square))

    def blocks() -> Iterator[NDArray[np.uint8]]:
        count = BLOCK // square
        for block in label_blocks(Size(side, side)):
            top, left = block.top // square, block.left // square
            cells = np.zeros((count, count, square, square), np.bool_)
            cells[:, :, :CELL, :CELL] = shapes[kinds[top : top + count, left : left + count]]
            mask = cells.transpose(0, 2, 1, 3).reshape(BLOCK, BLOCK)
            yield np.where(mask, 2, int(tissue)).astype(np.uint8)

    write_labels(path, blocks(), Size(side, side), mpp=MPP, classes=CLASSES)


def measure(path: Path, tracer: str, tolerance: float) -> dict:
    """Trace an image once and return figures; the checks come after the clock has stopped."""
    trace = trace_by_package if tracer == "package" else trace_by_libraries
    with open_labels(path) as labels:
        trace_by_package(labels, tolerance, Size(2048, 1024))  # compiles, or loads what is compiled
        before, started = peak_mib(), time.process_time()
        allow(started + LIMIT_S)
        placed, areas, crossed = trace(labels, tolerance, labels.size)
        allow(resource.RLIM_INFINITY)
        seconds, peak = time.process_time() - started, peak_mib() - before
        pixels = np.bincount(labels.read(0, 0, 0, labels.size).ravel(), minlength=3)[1:]
        exact, _, _ = trace_by_package(labels, 0.0, Size(labels.size.width, BLOCK))
    return {
        "seconds": seconds,
        "peak_mib": peak,
        "objects": len(placed),
        "vertices": int(shapely.get_num_coordinates(placed).sum()),
        "deviation": deviation(placed, exact),
        "area_kept": bool((areas == pixels).all()),
        "crossed": crossed,
    }


def allow(seconds: float) -> None:
    """End this process by a signal when it has taken so much processor time."""
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), hard))


def trace_by_package(
    labels: Labels, tolerance: float, size: Size
) -> tuple[list[BaseGeometry], NDArray[np.float64], int]:
    """Return polygons on the grid, exact pixels of both labels, and how many had to be cut."""
    placed: list[BaseGeometry] = []
    areas = np.zeros(2)

    def read_strip(top: int, strip: Size) -> NDArray[np.uint8]:
        return labels.read(0, 0, top, strip)

    pieces = trace_labels(read_strip, size, tolerance=tolerance)
    with mock.patch.object(polygons, "place_on_grid", wraps=place_on_grid) as cut:
        while batch := list(islice(pieces, 256)):
            np.add.at(areas, [piece.value - 1 for piece in batch], [piece.area for piece in batch])
            rings = [piece.rings for piece in batch]
            placed += polygons.place_all_on_grid(rings, scale=SCALE, offset=OFFSET)
    return placed, areas, cut.call_count


def trace_by_libraries(
    labels: Labels, tolerance: float, size: Size
) -> tuple[list[BaseGeometry], NDArray[np.float64], int]:
    """Return the same by GDAL's polygons and GEOS's simplification of coverages."""
    image = labels.read(0, 0, 0, size)
    found = [
        (value, polygon_of(one["coordinates"]))
        for one, value in rasterio.features.shapes(image, mask=image, connectivity=4)
    ]
    traced = np.array([polygon for _, polygon in found])
    values = np.array([value for value, _ in found], np.int64)
    areas = np.bincount(values, shapely.area(traced), minlength=3)[1:]
    if tolerance:
        traced = shapely.coverage_simplify(traced, tolerance)
    placed = shapely.transform(traced, lambda points: np.round(points * SCALE + OFFSET, 2))
    broken = np.flatnonzero(~shapely.is_valid(placed))
    for k in broken.tolist():
        rings = [shapely.get_coordinates(ring) for ring in shapely.get_rings(traced[k])]
        placed[k] = place_on_grid(rings, scale=SCALE, offset=OFFSET)
    return placed.tolist(), areas, len(broken)


def polygon_of(rings: list[list[tuple[float, float]]]) -> BaseGeometry:
    """Return a polygon of GeoJSON's coordinates."""
    return shapely.Polygon(rings[0], rings[1:])


def deviation(placed: list[BaseGeometry], exact: list[BaseGeometry]) -> float:
    """Return how far the outlines of small objects lie from the true ones at most, in pixels."""
    small = [one for one in exact if one.area < CELL**2 * SCALE**2][:2000]
    tree = shapely.STRtree(placed)
    nearest = tree.query_nearest([one.centroid for one in small], all_matches=False)[1]
    pairs = [(one, placed[k]) for one, k in zip(small, nearest.tolist(), strict=True)]
    kept = [(one, other) for one, other in pairs if other.area < CELL**2 * SCALE**2]
    distances = [shapely.hausdorff_distance(one.boundary, two.boundary) for one, two in kept]
    return max(distances, default=0.0) / SCALE


def peak_mib() -> float:
    """Return the most memory that the process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def describe(image: str, tracer: str, runs: list[dict]) -> str:
    """Return a row of the table."""
    if not runs:
        return f"| {image} | {tracer} | not within {LIMIT_S} | | | | | | |"
    found = min(runs, key=lambda one: one["seconds"])
    cells = [image, tracer, f"{found['seconds']:.1f}"]
    cells += [f"{min(one['peak_mib'] for one in runs):.0f}", f"{found['objects']}"]
    cells += [f"{found['vertices']}", f"{found['deviation']:.2f}"]
    cells += ["yes" if found["area_kept"] else "no", f"{found['crossed']}"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
