"""Time the whole workflow on derived slides; `make benchmark` writes it into docs/benchmarks.md.

Each measured run is kept in a JSON file, so that an interrupted benchmark goes on where it was.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import click
from derived_slide import SOURCE, write_derived_slide
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
PAGE = REPOSITORY / "docs/benchmarks.md"
SIDES = {"0.25": 16384, "1": 32768, "4": 65536}
"""Gigapixels -> side in pixels."""


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--gigapixels", multiple=True, default=tuple(SIDES), type=click.Choice(list(SIDES)))
@click.option("--runs", default=3, show_default=True)
@click.option("--cores", default=2, show_default=True)
def main(folder: Path, gigapixels: tuple[str, ...], runs: int, cores: int) -> None:
    """Measure, and write the section of docs/benchmarks.md on speed."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for size in gigapixels:
        slide = folder / f"derived-{size}.tif"
        if not slide.exists():
            data = Path(os.environ.get("LDS_PATH_DATA", REPOSITORY.parent / "shared" / "data"))
            partial = slide.with_suffix(".partial.tif")
            write_derived_slide(partial, data / "slides" / SOURCE, SIDES[size])
            partial.rename(slide)
        for run in range(runs):
            record = folder / f"run-{size}-{run}.json"
            if not record.exists():
                click.echo(f"{size} gigapixels, run {run + 1} of {runs}")
                record.write_text(json.dumps(measure(slide, folder / "run", cores)))
    write_page(folder, cores)


def measure(slide: Path, folder: Path, cores: int) -> dict:
    """Run libvips, the workflow and the references once."""
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
    regions = read_regions(results / "detect/derived" / REGIONS_NAME)
    scipy_seconds, unwarp_seconds, difference = unwarp_with_scipy(
        results / "segment/derived/1-of-1/predictions.npz"
    )
    return {
        "libvips": libvips,
        "workflow": seconds,
        "stages": stages,
        "regions": len(regions),
        "tissue_mm2": read_manifest(results / "detect/derived").results["tissue_mm2"],
        "full_resolution_mpx_per_second": segment_at_full_resolution(
            results / "tile/derived",
            *find_tissue_sample(regions, results / "tile/derived"),
            cores,
        ),
        "griddata": scipy_seconds,
        "unwarp": unwarp_seconds,
        "unwarp_difference": difference,
    }


def _read_stage(folder: Path, stage: str) -> dict:
    table = next((folder / "benchmarks").glob(f"{stage}*/**/*.tsv"), None)
    table = table or folder / f"benchmarks/{stage}.tsv"
    header, values = (line.split("\t") for line in table.read_text().splitlines()[:2])
    row = dict(zip(header, values, strict=False))
    where = folder / "results" / stage
    if stage != "report":
        where = where / "derived" / ("1-of-1" if stage == "segment" else "")
    return {
        "seconds": float(row["s"]),
        "memory_mib": read_manifest(where).peak_memory_mib,
        "read_mib": float(row["io_in"]),
        "written_mib": float(row["io_out"]),
    }


def write_page(folder: Path, cores: int) -> None:
    """Write the medians of all measured runs."""
    found = {
        size: [json.loads(path.read_text()) for path in sorted(folder.glob(f"run-{size}-*.json"))]
        for size in SIDES
    }
    measured = {size: Medians(SIDES[size], runs) for size, runs in found.items() if runs}
    draw_plot(PAGE.with_suffix(".svg"), measured)
    write_section(PAGE, "speed", describe(measured, cores))


if __name__ == "__main__":
    main()
