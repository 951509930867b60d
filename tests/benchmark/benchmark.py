"""Time the whole workflow on derived slides; `make benchmark` writes it into docs/speed.md.

Each measured run is kept in a JSON file, so that an interrupted benchmark goes on where it was.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from itertools import product
from pathlib import Path

import click
from derived_slide import SOURCE, keep_levels, linked_bytes, write_derived_slide
from page import write_section
from references import (
    copy_with_libvips,
    find_tissue_sample,
    segment_at_full_resolution,
    unwarp_with_scipy,
)
from speed_tables import STAGES, Medians, describe, draw_plot

from lds_path.formats.regions import REGIONS_NAME, read_regions
from lds_path.provenance.manifest import read_manifest

REPOSITORY = Path(__file__).parent.parent.parent
PAGE = REPOSITORY / "docs/speed.md"
SIDES = {"0.25": 16384, "1": 32768, "4": 65536}
"""Gigapixels -> side in pixels."""
LEVELS = {"1": {"1, 4, 16": slice(None, None, 2), "1": slice(1)}}
"""Gigapixels -> factors of the levels that another file of this size has -> pages that are kept of the first."""


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--gigapixels", multiple=True, default=tuple(SIDES), type=click.Choice(list(SIDES)))
@click.option("--runs", default=3, show_default=True)
@click.option("--cores", default=2, show_default=True)
def main(folder: Path, gigapixels: tuple[str, ...], runs: int, cores: int) -> None:
    """Measure, and write the section of docs/speed.md on speed."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for size in gigapixels:
        slides = {size: make_slide(folder, size)}
        for factors, pages in LEVELS.get(size, {}).items():
            slides[_with_levels(size, factors)] = relink(slides[size], factors, pages)
        for (name, slide), run in product(slides.items(), range(runs)):
            record = folder / f"run-{name}-{run}.json"
            if not record.exists():
                click.echo(f"{name} gigapixels, run {run + 1} of {runs}")
                found = measure(slide, folder / "run", cores)
                if name == size:
                    found |= measure_references(folder / "run/results", cores)
                record.write_text(json.dumps(found))
    write_page(folder, cores)


def make_slide(folder: Path, size: str) -> Path:
    """Return a derived slide, made where it is missing."""
    slide = folder / f"derived-{size}.tif"
    if not slide.exists():
        data = Path(os.environ.get("LDS_PATH_DATA", REPOSITORY.parent / "shared" / "data"))
        partial = slide.with_suffix(".partial.tif")
        write_derived_slide(partial, data / "slides" / SOURCE, SIDES[size])
        partial.rename(slide)
    return slide


def relink(slide: Path, factors: str, pages: slice) -> Path:
    """Return a copy of a slide with some of its levels, made where it is missing."""
    copy = slide.with_stem(f"{slide.stem}-{factors.replace(', ', '-')}")
    if not copy.exists():
        partial = copy.with_suffix(".partial.tif")
        shutil.copy(slide, partial)
        keep_levels(partial, pages)
        partial.rename(copy)
    return copy


def _with_levels(size: str, factors: str) -> str:
    return f"{size}, levels {factors}"


def measure(slide: Path, folder: Path, cores: int) -> dict:
    """Run libvips and the workflow once."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    libvips = copy_with_libvips(slide, folder / "copy.tif")
    (folder / "slides.tsv").write_text(f"slide\tpath\nderived\t{slide.resolve()}\n")
    started = time.perf_counter()
    command = [
        "snakemake",
        "--snakefile",
        str(REPOSITORY / "Snakefile"),
        "--directory",
        str(folder),
    ]
    command += ["--configfile", str(REPOSITORY / "config.yaml"), "--cores", str(cores)]
    command += ["--config", f"slides={folder / 'slides.tsv'}"]
    with (folder / "snakemake.log").open("w") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log, cwd=REPOSITORY)
    seconds = time.perf_counter() - started
    results = folder / "results"
    stages = {stage: _read_stage(folder, stage) for stage in STAGES}
    tiled, slide_bytes = results / "tile", linked_bytes(slide)
    return {
        "libvips": libvips,
        "workflow": seconds,
        "stages": stages,
        "tissue_mm2": read_manifest(results / "detect/derived").results["tissue_mm2"],
        "pyramid_share": _bytes_below(tiled) / slide_bytes,
        "results_share": _bytes_below(results) / slide_bytes,
    }


def measure_references(results: Path, cores: int) -> dict:
    """Time what the workflow is compared with, on its results."""
    regions = read_regions(results / "detect/derived" / REGIONS_NAME)
    scipy_seconds, unwarp_seconds, difference = unwarp_with_scipy(
        results / "segment/derived/1-of-1/predictions.npz"
    )
    return {
        "regions": len(regions),
        "full_resolution_mpx_per_second": segment_at_full_resolution(
            results / "tile/derived",
            *find_tissue_sample(regions, results / "tile/derived"),
            cores,
        ),
        "griddata": scipy_seconds,
        "unwarp": unwarp_seconds,
        "unwarp_difference": difference,
    }


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _read_stage(folder: Path, stage: str) -> dict:
    table = next((folder / "benchmarks").glob(f"{stage}*/**/*.tsv"), None)
    table = table or folder / f"benchmarks/{stage}.tsv"
    header, values = (line.split("\t") for line in table.read_text().splitlines()[:2])
    row = dict(zip(header, values, strict=False))
    where = folder / "results" / stage
    if stage != "report":
        where = where / "derived" / ("1-of-1" if stage == "segment" else "")
    manifest = read_manifest(where)
    written = sum(output["bytes"] for output in manifest.outputs.values())
    return {
        "seconds": float(row["s"]),
        "memory_mib": manifest.peak_memory_mib,
        "written_mib": written / 2**20,
    }


def write_page(folder: Path, cores: int) -> None:
    """Write the medians of all measured runs."""
    measured, by_levels = {}, {}
    for size, side in SIDES.items():
        if runs := _read_runs(folder, size):
            measured[size] = Medians(side, runs)
        for factors in LEVELS.get(size, {}):
            if runs := _read_runs(folder, _with_levels(size, factors)):
                by_levels[factors] = Medians(side, runs)
    draw_plot(PAGE.with_suffix(".svg"), measured)
    write_section(PAGE, "speed", describe(measured, by_levels, cores))


def _read_runs(folder: Path, name: str) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob(f"run-{name}-[0-9].json"))]


if __name__ == "__main__":
    main()
