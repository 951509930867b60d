"""Pyramids of the needed levels against whole ones, in docs/speed.md: bytes, time and labels."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np
import tifffile
from derived_slide import SOURCE, keep_levels, linked_bytes, write_derived_slide
from page import write_section

from lds_path.formats.labels.label_images import open_labels
from lds_path.options.slides import DemoOptions
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.stage_folder import open_folder
from lds_path.stages.demo import LABELS_NAME, SLIDE_NAME, demo

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs/speed.md"
SIDE = 8192
SEED = 5
FINEST = {"needed": 2, "overview": 3, "all": 0}
"""`tile: levels` -> what a run of the model `demo` stores from."""
SCANNERS = {"1, 2, 4, ...": slice(None), "1, 4, 16, ...": slice(None, None, 2), "1": slice(1)}
"""Factors of the levels in a file -> pages of a pyramid that halves."""
_HOW = """\
Written by `python tests/benchmark/needed_levels.py --folder build/levels`: the model `demo` (samples
8 pixels apart, levels from 2 on stored, for an overview from 3 on) on a painted slide of 31 megapixels and on derived ones of
{megapixels:.0f}; processor time of the commands, with their start.

| slide | levels in the file | `tile: levels` | read from the slide's level | pyramid / slide | tile, s | segment, s | assess, s |
| --- | --- | --- | --- | ---: | ---: | ---: | ---: |
{rows}

Dice of the painted slide's classes against the truth, at 1 um per pixel:

| `tile: levels` | {classes} |
| --- |{bars}
{scores}"""


@dataclass(frozen=True)
class Measured:
    """One slide with one kind of pyramid."""

    level: str
    """Of the slide, that the finest stored one was read from."""
    ratio: float
    seconds: dict[str, float]
    """Processor time by stage."""

    def row(self, slide: str, levels: str, kind: str) -> str:
        """Return a line of the table."""
        seconds = " | ".join(
            f"{self.seconds[stage]:.1f}" for stage in ("tile", "segment", "assess")
        )
        return f"| {slide} | {levels} | {kind} | {self.level} | {self.ratio:.2f} | {seconds} |"


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
def main(folder: Path) -> None:
    """Measure, and write the section of docs/speed.md on levels."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    painted = folder / "painted"
    if not painted.exists():
        demo(painted, options=DemoOptions(seed=SEED))
    rows = [
        measure(painted / SLIDE_NAME, folder / f"painted-{kind}", kind).row(
            "painted", "1, 2, 4, ...", kind
        )
        for kind in FINEST
    ]
    for number, (levels, pages) in enumerate(SCANNERS.items()):
        slide = folder / f"derived-{number}.tif"
        _write_derived(slide, pages)
        for kind in FINEST:
            measured = measure(slide, folder / f"derived-{number}-{kind}", kind)
            rows.append(measured.row("derived", levels, kind))
    truth = np.asarray(tifffile.imread(painted / LABELS_NAME))[::2, ::2]
    classes = open_labels(open_folder(folder / "painted-all/stitch")).classes
    scores = []
    for kind in FINEST:
        cells = (f"{score:.4f}" for score in _dice(folder / f"painted-{kind}", truth))
        scores.append(f"| {' | '.join((kind, *cells))} |")
    text = _HOW.format(
        megapixels=SIDE**2 / 1e6,
        rows="\n".join(rows),
        classes=" | ".join(item.name for item in classes),
        bars=" ---: |" * len(classes),
        scores="\n".join(scores),
    )
    write_section(PAGE, "levels", text)
    click.echo(text)


def measure(slide: Path, folder: Path, kind: str) -> Measured:
    """Run the stages that read a pyramid, each as a command."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    tile, detect, segment, stitch = (
        folder / name for name in ("tile", "detect", "segment", "stitch")
    )
    seconds = {
        "tile": _run("tile", slide, tile, "--levels", kind, "--finest-level", FINEST[kind]),
        "detect": _run("detect", tile, detect),
        "segment": _run("segment", tile, detect, segment, "--model", "demo"),
        "stitch": _run("stitch", tile, detect, segment, stitch, "--mpp", "working"),
        "assess": _run("assess", tile, detect, segment, stitch, folder / "assess"),
    }
    results = read_manifest(tile).results
    used = results.get("stored_from")
    size = sum(path.stat().st_size for path in tile.rglob("*") if path.is_file())
    slide_size = linked_bytes(slide)
    level = f"{results['slide_level'] if used is None else used}"
    return Measured(level, size / slide_size, seconds)


def _run(*command: object) -> float:
    """Run a command and return its processor time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["lds-path", *map(str, command)], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _write_derived(path: Path, pages: slice) -> None:
    """Write a derived slide of whose levels only some are linked."""
    if path.exists():
        return
    data = Path(os.environ.get("LDS_PATH_DATA", REPOSITORY.parent / "shared" / "data"))
    partial = path.with_suffix(".partial.tif")
    write_derived_slide(partial, data / "slides" / SOURCE, SIDE)
    keep_levels(partial, pages)
    partial.rename(path)


def _dice(folder: Path, truth: np.ndarray) -> list[float]:
    """Return the Dice of each class at the second level of a label image."""
    with open_labels(open_folder(folder / "stitch")) as labels:
        found = labels.read(1, 0, 0, labels.level_size(1))
        values = [item.value for item in labels.classes]
    truth = truth[: found.shape[0], : found.shape[1]]
    found = found[: truth.shape[0], : truth.shape[1]]
    pairs = [(found == value, (truth == value) & (found > 0)) for value in values]
    return [float(2 * (a & b).sum() / (a.sum() + b.sum())) for a, b in pairs]


if __name__ == "__main__":
    main()
