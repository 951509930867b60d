"""Bytes that cross the network for a cohort on an object store, in docs/speed.md."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
from derived_slide import SOURCE, keep_levels, linked_bytes, write_derived_slide
from page import write_section

REPOSITORY = Path(__file__).parents[2]
sys.path.insert(0, str(REPOSITORY / "tests"))

from file_server import file_server

from lds_path.direct.request import read_request
from lds_path.direct.slide_stages import stage_calls
from lds_path.remote.address import parse_address
from lds_path.remote.kept_parts import shared_parts

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = REPOSITORY / "docs/speed.md"
STAGES = ("tile", "segment", "assess")
"""Those that read slides."""
TOLERANCES = (0.3, 0.45)
TARGET = 0.3
_HOW = """\
Written by `python tests/benchmark/remote_slides.py --folder build/remote`: all stages of three slides with
the model `{model}`, read from a server on this computer that speaks S3 and counts what it sends. The
derived slides, of {side} x {side} pixels, have 45 % tissue; the other one has a single level, and is stored
whole as small slides are.

| `level_tolerance` | slide | levels in the file | MB | bytes read / slide bytes | by tile | by segment | by assess | requests |
| --- | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |
{rows}

At most {target:g} of the cohort's bytes: {verdict}. The windows that `tile` and `assess` look at in the finest
level do not grow in number with the slide: {fixed:.1f} MB of the first one."""


@dataclass
class Measured:
    """What crossed the network for a slide."""

    tolerance: float
    levels: str
    size: int
    """Bytes of the slide."""
    requests: int = 0
    read: dict[str, int] = field(default_factory=dict)
    """Stage -> bytes."""

    @property
    def total(self) -> int:
        """Bytes of all stages."""
        return sum(self.read.values())

    def row(self, name: str) -> str:
        """Return a line of the table."""
        shares = (self.total, *(self.read.get(stage, 0) for stage in STAGES))
        numbers = " | ".join(f"{share / self.size:.2f}" for share in shares)
        size = f"{self.size / 1e6:.1f}"
        return (
            f"| {self.tolerance} | {name} | {self.levels} | {size} | {numbers} | {self.requests} |"
        )


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--side", type=int, default=16384, show_default=True, help="Of the derived slides.")
@click.option("--model", default="demo", show_default=True)
@click.option("--page/--no-page", default=True, help="Whether the section is written.")
def main(folder: Path, side: int, model: str, *, page: bool) -> None:
    """Measure, and write the section of docs/speed.md on slides elsewhere."""
    folder = folder.resolve()
    shutil.rmtree(folder / "results", ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    rows, verdicts, fixed = [], [], 0
    for tolerance in TOLERANCES:
        measured = []
        for name, file, levels in write_cohort(folder, side):
            output = folder / "results" / f"{file.stem}-{tolerance}"
            measured.append(measure(file, levels, output, model, tolerance))
            rows.append(measured[-1].row(name))
            click.echo(rows[-1])
        whole = add_up(measured)
        rows.append(whole.row("**the cohort**"))
        fixed = measured[0].read["assess"]
        share = whole.total / whole.size
        met = "met" if share <= TARGET else "missed"
        verdicts.append(f"{share:.2f} with {tolerance}, {met}")
    text = _HOW.format(
        model=model,
        side=side,
        rows="\n".join(rows),
        target=TARGET,
        verdict="; ".join(verdicts),
        fixed=fixed / 1e6,
    )
    if page:
        write_section(PAGE, "remote", text)
    click.echo(text)


def write_cohort(folder: Path, side: int) -> Iterator[tuple[str, Path, str]]:
    """Yield name, file and levels of the slides."""
    source = Path(os.environ["LDS_PATH_DATA"]) / "slides" / SOURCE
    halving, quartering = folder / "derived-2.tif", folder / "derived-4.tif"
    if not halving.exists():
        write_derived_slide(halving, source, side)
        shutil.copy(halving, quartering)
        keep_levels(quartering, slice(None, None, 2))
    yield "derived", halving, "1, 2, 4, ..."
    yield "derived", quartering, "1, 4, 16, ..."
    yield SOURCE, source, "1"


def measure(file: Path, levels: str, output: Path, model: str, tolerance: float) -> Measured:
    """Run all stages of a slide, and note what each had the server send."""
    found = Measured(tolerance, levels, linked_bytes(file))
    bucket = f"slides-{output.name.lower()}".replace(".", "-")  # connections are kept by bucket
    with file_server() as server:
        server.files[f"/{bucket}/{file.name}"] = file.read_bytes()
        os.environ |= {
            "AWS_ENDPOINT_URL": server.address,
            "AWS_ACCESS_KEY_ID": "benchmark",
            "AWS_SECRET_ACCESS_KEY": "benchmark",
        }
        request = read_request(
            parse_address(f"s3://{bucket}/{file.name}"),
            output,
            model=model,
            mpp=None,
            given={"tile": {"level_tolerance": tolerance}},
        )
        for stage, call in stage_calls(request.setup, request.slides[0], threads=2).items():
            shared_parts.cache_clear()  # in the workflow, each stage is a process
            before, requests = server.sent.total(), len(server.requests)
            start = time.monotonic()
            manifest = call()
            if manifest.status != "done":
                raise click.ClickException(manifest.reason)
            found.read[stage] = server.sent.total() - before
            found.requests += len(server.requests) - requests
            click.echo(f"{stage}: {found.read[stage]} bytes, {time.monotonic() - start:.1f} s")
    return found


def add_up(slides: list[Measured]) -> Measured:
    """Return what crossed the network for all slides."""
    whole = Measured(slides[0].tolerance, "", sum(item.size for item in slides))
    whole.requests = sum(item.requests for item in slides)
    for stage in STAGES:
        whole.read[stage] = sum(item.read.get(stage, 0) for item in slides)
    return whole


if __name__ == "__main__":
    main()
