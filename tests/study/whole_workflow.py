"""Time models of the study on a large slide, from the file to the report.

What a slide takes hangs on its samples and on the pixels that are read for them, not on what is recognised:
any slide of the models' resolution will do. The models take turns, so that a machine that slows down
slows all; the first turn, which compiles and fills caches, does not count.

    PYTHONPATH=tests/study python tests/study/whole_workflow.py SLIDE --models build/models --name glomeruli \\
      --variants uniform --variants uniform-fine --variants texture-and-warp --folder build/whole
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click

from lds_path.formats.results import DetectResults
from lds_path.provenance.stage_folder import open_folder
from lds_path.system.processes import usable_cores

STAGES = ("tile", "segment")


@click.command()
@click.argument("slide", type=click.Path(exists=True, path_type=Path))
@click.option("--models", type=click.Path(path_type=Path), required=True, help="As run.py --keep.")
@click.option("--name", required=True, help="Of the set.")
@click.option("--variants", multiple=True, required=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--repeats", default=3, show_default=True)
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
def main(
    slide: Path,
    models: Path,
    name: str,
    variants: tuple[str, ...],
    seed: int,
    repeats: int,
    folder: Path,
) -> None:
    """Print the seconds per mm2 of tissue, medians: the whole, `tile`, `segment`."""
    rows: dict[str, list[list[float]]] = {variant: [] for variant in variants}
    for turn in range(repeats + 1):
        for variant, found in rows.items():
            measured = run(slide, models / f"{name}-{variant}-{seed}", folder)
            if turn:
                found.append(measured)
    click.echo(f"{usable_cores()} cores, s per mm2 of tissue")
    click.echo(f"| model | whole | {' | '.join(STAGES)} |")
    for variant, found in rows.items():
        middle = (statistics.median(column) for column in zip(*found, strict=True))
        click.echo(f"| {variant} | {' | '.join(f'{value:.4f}' for value in middle)} |")


def run(slide: Path, model: Path, folder: Path) -> list[float]:
    """Return the seconds per mm2 of the whole command and of `STAGES`."""
    shutil.rmtree(folder, ignore_errors=True)
    command = [sys.executable, "-m", "lds_path.cli", "run", slide, "-o", folder, "--model", model]
    started = time.perf_counter()
    subprocess.run(command, check=True, env=os.environ | {"PYTHONWARNINGS": "ignore"})
    seconds = [time.perf_counter() - started]
    found = {one: (folder / one).rglob("manifest.json") for one in ("detect", *STAGES)}
    stages = {one: next(manifests).parent for one, manifests in found.items()}
    seconds += [open_folder(stages[one]).manifest.seconds for one in STAGES]
    area = open_folder(stages["detect"]).read(DetectResults).tissue_mm2
    shutil.rmtree(folder)
    return [value / area for value in seconds]


if __name__ == "__main__":
    main()
