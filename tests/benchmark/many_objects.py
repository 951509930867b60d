"""Time the export of label images with very many objects; written into docs/speed.md.

The objects have the size of cells, ragged outlines of a few kinds, one in each square of 16 um:
on glass, or in tissue of one piece, whose polygon then has as many holes.

    python tests/benchmark/many_objects.py --folder build/many-objects
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from page import write_section
from PIL import Image

from lds_path.classes import LabelClass
from lds_path.formats.labels.label_images import BLOCK, label_blocks, write_labels
from lds_path.formats.results import StitchResults
from lds_path.geometry import Size
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.stage_run import run_stage
from lds_path.stages.export import MAX_VERTICES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from lds_path.provenance.manifest import Manifest
    from lds_path.provenance.stage_folder import StageInputs

PAGE = Path(__file__).parent.parent.parent / "docs/speed.md"
MPP = 0.5
CELL = 32
"""Side in pixels of the square around an object."""
STEP = 16
"""Label pixels per pixel of the confidence."""
CLASSES = (LabelClass(1, "Tissue", (86, 180, 233)), LabelClass(2, "Cell", (213, 94, 0)))
COUNTS = (65_536, 262_144)
HEADER = """| objects | on | seconds | peak MiB | polygons | vertices | tolerance um | file MiB |
| ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |"""


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--threads", default=2, show_default=True)
def main(folder: Path, threads: int) -> None:
    """Measure, and write the section of docs/speed.md on many objects."""
    rows = []
    for tissue, count in product((False, True), COUNTS):
        stitch = folder / "stitch" / f"{count}-{tissue}"
        if not (stitch / "manifest.json").exists():
            write_stitch(stitch, count, 1 if tissue else 0)
        export = folder / "export" / stitch.name
        shutil.rmtree(export, ignore_errors=True)
        command = [sys.executable, "-m", "lds_path.cli", "export", stitch, export]
        subprocess.run([*command, "--threads", str(threads)], check=True)
        rows.append(describe(count, "tissue" if tissue else "glass", read_manifest(export)))
        click.echo(rows[-1])
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    text = (
        "Written by `python tests/benchmark/many_objects.py --folder build/many-objects`, one run"
        f" each: `lds-path export` with its default options and {threads} threads, {machine}."
        " Time and memory are those of the manifest, without the start of the interpreter. Where"
        f" there are more than {MAX_VERTICES} vertices export begins again with coarser outlines:"
        " the tolerance is the one that was used in the end, the time that of all tries.\n\n"
    )
    write_section(PAGE, "many objects", text + "\n".join([HEADER, *rows]))


def write_stitch(folder: Path, count: int, around: int) -> None:
    """Write what stitch leaves of a square slide with so many cells and one label around them."""
    side = CELL * round(count**0.5)
    shapes = draw_shapes()
    kinds = np.random.default_rng(2).integers(len(shapes), size=(side // CELL, side // CELL))

    def paint() -> Iterator[NDArray[np.uint8]]:
        cells = BLOCK // CELL
        for block in label_blocks(Size(side, side)):
            top, left = block.top // CELL, block.left // CELL
            drawn = shapes[kinds[top : top + cells, left : left + cells]]  # (rows, columns, y, x)
            mask = drawn.transpose(0, 2, 1, 3).reshape(BLOCK, BLOCK)
            yield np.where(mask, 2, around).astype(np.uint8)

    def work(output: Path, _: StageInputs) -> StitchResults:
        path = output / f"{folder.name}.labels.ome.tif"
        write_labels(path, paint(), Size(side, side), mpp=MPP, classes=CLASSES)
        confidence = np.full((side // STEP, side // STEP), 200, np.uint8)
        Image.fromarray(confidence).save(output / "confidence.png")
        return StitchResults(
            classes=CLASSES,
            pixels={},
            mean_confidence={},
            width=side,
            height=side,
            mpp=MPP,
            scale=1.0,
            downsample=1.0,
            left_l0=0,
            top_l0=0,
            confidence_downsample=STEP,
        )

    run_stage("stitch", folder, work, inputs={}, parameters={}, slide=folder.name)


def draw_shapes(kinds: int = 64) -> NDArray[np.bool_]:
    """Return masks of ragged ellipses, (kinds, CELL, CELL)."""
    random = np.random.default_rng(1)
    rows, columns = np.indices((CELL, CELL)) - (CELL - 1) / 2
    angle = np.arctan2(rows, columns)
    shapes = []
    for _ in range(kinds):
        radius = random.uniform(9, 11) * (1 + 0.2 * np.cos(2 * (angle - random.uniform(0, np.pi))))
        radius += 0.6 * np.cos(random.integers(5, 9) * angle + random.uniform(0, 2 * np.pi))
        shapes.append(np.hypot(rows, columns) < radius)
    return np.array(shapes)


def describe(count: int, ground: str, made: Manifest) -> str:
    """Return a row of the table."""
    found = made.results
    cells = [f"{count}", ground, f"{made.seconds:.1f}", f"{made.peak_memory_mib:.0f}"]
    cells += [f"{sum(found[name].values())}" for name in ("objects", "vertices")]
    cells += [f"{found['style']['tolerance_um']:g}", f"{found['bytes'] / 2**20:.1f}"]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
