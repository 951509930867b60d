"""Processor seconds of an image in a cohort of small ones, by the workflow and in one process.

    python tests/benchmark/small_images.py --folder build/small-images --images 500

The images are cut at random from real tissue. The workflow runs a process for each stage of each image; the
reference is `lds-path run`, which does the same work in one process. What an image costs more is what Snakemake and
the starts of processes take. `--without-server` starts each process anew, as on a cluster.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import openslide

REPOSITORY = Path(__file__).parents[2]
DATA = Path(os.environ.get("LDS_PATH_DATA", REPOSITORY.parent / "shared" / "data"))
SLIDE = DATA / "slides/CMU-1-Small-Region.svs"
SIDE = 1000
MPP = 0.5
CONFIG = f"{{model: demo, tile: {{mpp: {MPP}}}}}"
_REAP_ORPHANS = 36
"""Linux: PR_SET_CHILD_SUBREAPER, so that the time of processes whose parent has ended counts too."""


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--images", default=500, show_default=True)
@click.option("--cores", default=2, show_default=True)
@click.option("--without-server", is_flag=True, help="Start every process anew.")
def main(folder: Path, images: int, cores: int, without_server: bool) -> None:
    """Make the images in FOLDER, analyse them twice, and print what one takes."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "images").mkdir(parents=True)
    write_images(folder, images)
    (folder / "config.yaml").write_text(CONFIG)
    ctypes.CDLL(None).prctl(_REAP_ORPHANS, 1)
    workflow = [sys.executable, "-m", "snakemake", "--snakefile", REPOSITORY / "Snakefile"]
    workflow += ["--cores", cores, "--configfile", REPOSITORY / "config.yaml", "config.yaml"]
    workflow += ["--config", "slides=slides.tsv"]
    workflow += ["--sdm", "env-modules"] if without_server else []  # this workflow names no modules
    direct = [sys.executable, "-m", "lds_path.cli", "run", "slides.tsv", "-o", "direct"]
    direct += ["--threads", cores, "--config", "config.yaml"]
    spent = [measure(command, folder) for command in (workflow, direct)]
    for name, (seconds, elapsed) in zip(("workflow", "one process"), spent, strict=True):
        click.echo(
            f"{name}: {seconds / images:.2f} s of processor time an image, {elapsed:.0f} s in all"
        )
    click.echo(f"beyond the work itself: {(spent[0][0] - spent[1][0]) / images:.2f} s an image")


def write_images(folder: Path, count: int) -> None:
    """Write parts of a slide, and the sheet that lists them."""
    random = np.random.default_rng(1)
    rows = ["slide\tpath\tmpp"]
    with openslide.OpenSlide(SLIDE) as slide:
        width, height = slide.dimensions
        for number in range(count):
            corner = random.integers(0, (width - SIDE, height - SIDE)).tolist()
            slide.read_region(corner, 0, (SIDE, SIDE)).convert("RGB").save(
                folder / f"images/{number}.png"
            )
            rows.append(f"image-{number}\timages/{number}.png\t{MPP}")
    (folder / "slides.tsv").write_text("\n".join(rows) + "\n")


def measure(command: list[object], folder: Path) -> tuple[float, float]:
    """Return processor seconds of a command with all processes below it, and its seconds."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with (folder / "log.txt").open("ab") as log:
        process = subprocess.Popen(list(map(str, command)), cwd=folder, stdout=log, stderr=log)
        status = process.wait()
    while True:  # the server ends a little later
        try:
            os.wait()
        except ChildProcessError:
            break
    elapsed = time.perf_counter() - started
    if status:
        raise click.ClickException(f"a run failed, see {folder / 'log.txt'}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent, elapsed


if __name__ == "__main__":
    main()
