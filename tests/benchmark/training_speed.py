"""Seconds of a training step in each precision, in docs/speed.md."""

from __future__ import annotations

import os
from pathlib import Path

import click
from page import write_section

from lds_path.learning.recipe import PRECISIONS
from lds_path.option import make_options
from lds_path.options.model import TrainOptions
from lds_path.options.slides import DemoOptions
from lds_path.pixels.synthetic import CLASSES
from lds_path.stages.demo import LABELS_NAME, SLIDE_NAME, demo
from lds_path.stages.detect import detect
from lds_path.stages.tile import tile
from lds_path.stages.train import train

PAGE = Path(__file__).parents[2] / "docs" / "speed.md"
SIDE = 4096
SHORT, LONG = 5, 25
"""Steps of two trainings; what the longer one takes more is the time of its steps alone."""
_HOW = """\
Written by `python tests/benchmark/training_speed.py --folder build/training`, with {threads} threads
on a CPU {amx} AMX. A step of the default settings, on four regions of a painted slide: what {long}
steps take longer than {short}, over {steps}; the better of two turns.

| `precision` | s a step | to float32 |
| --- | ---: | ---: |
{rows}"""


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--threads", default=os.cpu_count() or 1, show_default=True)
def main(folder: Path, threads: int) -> None:
    """Measure, and write the section of docs/speed.md on training."""
    folder = folder.resolve()
    if not folder.exists():
        _prepare(folder)
    seconds = {
        precision: min(_step_seconds(folder, precision, threads) for _ in range(2))
        for precision in PRECISIONS
        if precision != "auto"
    }
    rows = "\n".join(
        f"| {precision} | {found:.2f} | {found / seconds['float32']:.2f} |"
        for precision, found in seconds.items()
    )
    amx = "with" if "amx_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8") else "without"
    text = _HOW.format(
        threads=threads, amx=amx, long=LONG, short=SHORT, steps=LONG - SHORT, rows=rows
    )
    write_section(PAGE, "training", text)
    click.echo(text)


def _prepare(folder: Path) -> None:
    demo(folder / "painted", options=DemoOptions(seed=701, width=SIDE, height=SIDE))
    for stage in ("tile", "detect"):
        (folder / stage).mkdir()
    tile(folder / "painted" / SLIDE_NAME, folder / "tile" / "painted")
    detect(folder / "tile" / "painted", folder / "detect" / "painted")
    (folder / "slides.tsv").write_text(
        "slide\tpath\tlabels\tsplit\n"
        f"painted\tpainted/{SLIDE_NAME}\tpainted/{LABELS_NAME}\ttrain\n",
        encoding="utf-8",
    )


def _step_seconds(folder: Path, precision: str, threads: int) -> float:
    """Return what a step takes, reading the slide left out by the cache."""
    short, long = (
        train(
            folder / "slides.tsv",
            folder / "model",
            tile=folder / "tile",
            detect=folder / "detect",
            classes=tuple(CLASSES),
            threads=threads,
            options=make_options(
                TrainOptions(),
                {"device": "cpu", "precision": precision, "steps": steps, "tune_every": steps},
            ),
        ).seconds
        for steps in (SHORT, LONG)
    )
    return (long - short) / (LONG - SHORT)


if __name__ == "__main__":
    main()
