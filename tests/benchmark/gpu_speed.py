"""Regions a second of `segment` on a GPU, by the size of its batches, and on the CPU.

    python tests/benchmark/gpu_speed.py --folder build/gpu

A painted slide and the model `demo`. Prints a table in Markdown: regions a second in the second of two runs, and the
largest memory of the GPU in it. `--device cpu` tries the script itself where there is no GPU.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import torch

from lds_path.formats.pyramid import open_pyramid
from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.inference.runner import Runner
from lds_path.models.card import find_model
from lds_path.models.checkpoint import load_model
from lds_path.network.device import describe_gpus, device_name
from lds_path.options.slides import DemoOptions, DetectOptions
from lds_path.stages.demo import SLIDE_NAME, demo
from lds_path.stages.detect import detect
from lds_path.stages.tile import tile

if TYPE_CHECKING:
    from lds_path.geometry import Region

MODEL = "demo"
MIB = 2**20


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--side", default=16384, show_default=True, help="Of the painted slide, in pixels.")
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cuda", show_default=True)
@click.option("--batch-sizes", default="1,2,4,8,16,32", show_default=True)
@click.option("--threads", default=os.cpu_count() or 1, show_default=True)
def main(folder: Path, side: int, device: str, batch_sizes: str, threads: int) -> None:
    """Measure, and print the table."""
    if device == "cuda" and not describe_gpus():
        sys.exit("gpu_speed: there is no CUDA GPU here; --device cpu tries the script without one")
    shutil.rmtree(folder, ignore_errors=True)
    demo(folder / "slide", options=DemoOptions(width=side, height=side))
    _, card = load_model(find_model(MODEL))
    sizes = DetectOptions(
        region_size=card.region_size.width, overlap=card.overlap, lattice=card.lattice.width
    )
    tile(folder / "slide" / SLIDE_NAME, folder / "tile")
    detect(folder / "tile", folder / "detect", options=sizes)
    click.echo("| device | batch | regions/s | GPU memory, MiB |\n| --- | ---: | ---: | ---: |")
    for size in map(int, batch_sizes.split(",")):
        click.echo(measure(folder, torch.device(device), size, threads))
    if device == "cuda":
        click.echo(measure(folder, torch.device("cpu"), 1, threads))


def measure(folder: Path, device: torch.device, batch_size: int, threads: int) -> str:
    """Return a row of the table."""
    segmenter, _ = load_model(find_model(MODEL))
    regions = read_regions(folder / "detect" / REGIONS_NAME)
    pyramid = open_pyramid(folder / "tile")
    runner = Runner(segmenter.eval().to(device), pyramid, device, batch_size, threads)
    memory = "-"
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    speed = len(regions) / time_second_run(runner, regions)
    if device.type == "cuda":
        memory = f"{torch.cuda.max_memory_reserved() / MIB:.0f}"
    batch = batch_size if device.type == "cuda" else "-"
    return f"| {device_name(device)} | {batch} | {speed:.2f} | {memory} |"


def time_second_run(runner: Runner, regions: list[Region]) -> float:
    """Return how long regions take in a second run; the first one is a warm-up."""
    for _ in range(2):
        started = time.perf_counter()
        for _ in runner.run(regions):
            pass
        taken = time.perf_counter() - started
    return taken


if __name__ == "__main__":
    main()
