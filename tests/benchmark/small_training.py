"""Time a whole run on 24 small images with labels, through Snakemake, with a training of 20 steps.

    python tests/benchmark/small_training.py --folder build/small-training

The images are parts of painted slides, 1024 x 1024 pixels: 16 to learn from, 4 to tune by, 4 to test. The time is that of
`snakemake`, from a folder without results to the report.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
from PIL import Image

from lds_path.options.slides import DemoOptions
from lds_path.stages.demo import LABELS_NAME, SLIDE_NAME, demo

REPOSITORY = Path(__file__).parents[2]
SIDE = 1024
MPP = 0.5
COUNT = 24
SPLITS = ("train",) * 16 + ("tune",) * 4 + ("test",) * 4
CONFIG = (
    "{model: train, detect: {region_size: 1024, overlap: 128, lattice: 128}, train: {steps: 20}}"
)


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--cores", default=2, show_default=True)
def main(folder: Path, cores: int) -> None:
    """Make the images in FOLDER, run the workflow once, and print its seconds."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True)
    write_images(folder)
    (folder / "config.yaml").write_text(CONFIG)
    command = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile"]
    command += ["--cores", cores, "--configfile", REPOSITORY / "config.yaml", "config.yaml"]
    command += ["--config", "slides=slides.tsv"]
    started = time.perf_counter()
    with (folder / "log.txt").open("ab") as log:
        status = subprocess.call(list(map(str, command)), cwd=folder, stdout=log, stderr=log)
    if status:
        raise click.ClickException(f"the run failed, see {folder / 'log.txt'}")
    click.echo(f"{COUNT} images with a training of 20 steps: {time.perf_counter() - started:.0f} s")


def write_images(folder: Path) -> None:
    """Write parts of painted slides with their labels, and the sheet that lists them."""
    rows = ["slide\tpath\tmpp\tlabels\tsplit\tpatient"]
    across = 6
    demo(folder / "painted", options=DemoOptions(7, across * SIDE, COUNT // across * SIDE))
    parts = {"images": SLIDE_NAME, "labels": LABELS_NAME}
    for name, file in parts.items():
        with Image.open(folder / "painted" / file) as whole:
            pixels = whole.copy()
        for number in range(COUNT):
            left, top = number % across * SIDE, number // across * SIDE
            pixels.crop((left, top, left + SIDE, top + SIDE)).save(folder / name / f"{number}.png")
    for number, split in enumerate(SPLITS):
        rows.append(
            f"image-{number}\timages/{number}.png\t{MPP}\tlabels/{number}.png\t{split}\t{number}"
        )
    (folder / "slides.tsv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
