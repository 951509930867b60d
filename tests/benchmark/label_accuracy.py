"""What a faster network and coarser label images cost: Dice against reference labels, pixel by pixel.

    python tests/benchmark/label_accuracy.py --folder build/accuracy

Painted slides with the model `demo`, biopsies of colon that it did not learn from with `colon-epithelium`.
Every label image is enlarged to the pixels of the reference before they are compared. Prints the table.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from tifffile import imread

from lds_path.formats.labels.label_images import name_labels
from lds_path.formats.results import SegmentResults, StitchResults
from lds_path.models.card import find_model, read_card
from lds_path.models.working import working_of
from lds_path.options.labels import SegmentOptions, StitchOptions
from lds_path.options.slides import DemoOptions, DetectOptions, TileOptions
from lds_path.provenance.stage_folder import open_folder
from lds_path.reference.scores import overlap_of
from lds_path.stages.demo import LABELS_NAME, SLIDE_NAME, demo
from lds_path.stages.detect import detect
from lds_path.stages.segment import segment
from lds_path.stages.stitch import stitch
from lds_path.stages.tile import tile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("LDS_PATH_DATA", REPOSITORY.parent / "shared" / "data"))
COLON = REPOSITORY / "workflow/models/colon_slides.py"
PAINTED = range(501, 505)
"""Seeds that no shipped model has seen."""
PRECISIONS = ("float32", "bfloat16")
PIXELS = ("working", "auto", "2", "4")
"""Of the label image: `stitch: mpp`, or working pixels per label pixel."""


@dataclass(frozen=True)
class Labelled:
    """A slide and its reference labels."""

    name: str
    path: Path
    labels: Path


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--threads", default=2, show_default=True)
def main(folder: Path, threads: int) -> None:
    """Score every precision and size of label pixels on both sets, and print the table."""
    folder.mkdir(parents=True, exist_ok=True)
    click.echo("| slides | precision | label pixels | um per pixel | Dice of each class | mean |")
    click.echo("| --- | --- | --- | ---: | --- | ---: |")
    for name, model, slides in (
        ("painted", "demo", paint(folder / "painted")),
        ("colon", "colon-epithelium", colon(folder / "colon")),
    ):
        for (precision, pixels), (confusion, mpp) in score(
            slides, folder / name, model, threads
        ).items():
            dice = overlap_of(confusion).dice()
            told = " ".join(f"{value:.4f}" for value in dice)
            click.echo(
                f"| {name} | {precision} | {pixels} | {mpp} | {told} | {np.nanmean(dice):.4f} |"
            )


def paint(folder: Path) -> list[Labelled]:
    """Return painted slides, made where they are missing."""
    folder.mkdir(exist_ok=True)
    places = {f"painted-{seed}": folder / f"painted-{seed}" for seed in PAINTED}
    for seed, place in zip(PAINTED, places.values(), strict=True):
        if not place.exists():
            demo(place, options=DemoOptions(seed=seed))
    return [
        Labelled(name, place / SLIDE_NAME, place / LABELS_NAME) for name, place in places.items()
    ]


def colon(folder: Path) -> list[Labelled]:
    """Return the slides of colon biopsies to test on, made where they are missing."""
    sheet = folder / "slides.tsv"
    if not sheet.exists():
        subprocess.run([sys.executable, str(COLON), str(DATA / "colon"), str(folder)], check=True)
    with sheet.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream, delimiter="\t") if row["split"] == "test"]
    return [Labelled(row["slide"], folder / row["path"], folder / row["labels"]) for row in rows]


def score(
    slides: list[Labelled], folder: Path, model: str, threads: int
) -> dict[tuple[str, str], tuple[NDArray[np.int64], str]]:
    """Return (precision, pixels) -> the confusion of all slides together, and the mpp of the labels."""
    confusion: dict[tuple[str, str], NDArray[np.int64]] = defaultdict(lambda: np.zeros((), int))
    mpp: dict[tuple[str, str], set[str]] = defaultdict(set)
    for slide in slides:
        reference = imread(slide.labels)
        for key, stitched in run(slide, folder / "results", model, threads):
            results = open_folder(stitched).read(StitchResults)
            labels = enlarge(imread(stitched / name_labels(slide.name)), results.scale, reference)
            confusion[key] = confusion[key] + count(reference, labels, len(results.classes))
            mpp[key].add(f"{results.mpp:.3g}")
    return {key: (confusion[key], ", ".join(sorted(mpp[key]))) for key in confusion}


def run(
    slide: Labelled, results: Path, model: str, threads: int
) -> Iterator[tuple[tuple[str, str], Path]]:
    """Yield every variant of a slide, with the folder of its label image."""
    card = read_card(find_model(model))
    working = working_of(card)
    tiled, detected = results / "tile" / slide.name, results / "detect" / slide.name
    options = DetectOptions(
        region_size=working.region_size, overlap=working.overlap, lattice=working.lattice
    )
    if not detected.exists():
        for one in (tiled, detected):
            one.parent.mkdir(parents=True, exist_ok=True)
        tile(slide.path, tiled, options=TileOptions(mpp=working.mpp), strict=True, threads=threads)
        detect(tiled, detected, options=options, strict=True)
    for precision in PRECISIONS:
        segmented = results / f"segment-{precision}" / slide.name
        segmented.parent.mkdir(parents=True, exist_ok=True)
        segment(
            tiled,
            detected,
            segmented,
            model=model,
            options=SegmentOptions(device="cpu", precision=precision),
            threads=threads,
        )
        worked_at = open_folder(segmented).read(SegmentResults).region_mpp
        for pixels in PIXELS:
            mpp = pixels if pixels in ("working", "auto") else int(pixels) * worked_at
            stitched = results / f"stitch-{precision}-{pixels}" / slide.name
            stitched.parent.mkdir(parents=True, exist_ok=True)
            stitch(
                tiled,
                detected,
                [segmented],
                stitched,
                options=StitchOptions(mpp=mpp),
                threads=threads,
            )
            yield (precision, pixels), stitched


def enlarge(
    labels: NDArray[np.uint8], scale: float, reference: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """Return labels in the pixels of the reference; each takes that of the pixel its centre lies in."""
    rows, columns = (
        np.minimum(((np.arange(length) + 0.5) / scale).astype(int), side - 1)
        for length, side in zip(reference.shape, labels.shape, strict=True)
    )
    return labels[np.ix_(rows, columns)]


def count(
    reference: NDArray[np.uint8], labels: NDArray[np.uint8], classes: int
) -> NDArray[np.int64]:
    """Return the pixels of each reference class that have each label, (classes + 1, classes + 1)."""
    known = (reference > 0) & (reference <= classes)
    side = classes + 1
    pairs = reference[known].astype(int) * side + labels[known]
    return np.bincount(pairs, minlength=side * side).reshape(side, side)


if __name__ == "__main__":
    main()
