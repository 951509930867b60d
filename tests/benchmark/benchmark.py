"""Time the whole workflow on derived slides; `make benchmark` writes it into docs/benchmarks.md.

Each measured run is kept in a JSON file, so that an interrupted benchmark goes on where it was.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import statistics
import subprocess
import time
from pathlib import Path

import click
from derived_slide import SOURCE, write_derived_slide
from page import write_section
from references import copy_with_libvips, segment_at_full_resolution, unwarp_with_scipy

from lds_path.formats.manifest import read_manifest
from lds_path.formats.regions import REGIONS_NAME, read_regions

REPOSITORY = Path(__file__).parent.parent.parent
PAGE = REPOSITORY / "docs/benchmarks.md"
STAGES = ("tile", "detect", "segment", "stitch", "export", "assess", "report")
SIDES = {"0.25": 16384, "1": 32768, "4": 65536}
"""Gigapixels -> side in pixels."""


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--gigapixels", multiple=True, default=tuple(SIDES), type=click.Choice(list(SIDES)))
@click.option("--runs", default=3, show_default=True)
@click.option("--cores", default=2, show_default=True)
def main(folder: Path, gigapixels: tuple[str, ...], runs: int, cores: int) -> None:
    """Measure, and write the section of docs/benchmarks.md on speed."""
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
    middle = regions[len(regions) // 2]
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
            results / "tile/derived", middle.left, middle.top, cores
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
    lines = [
        "Written by `make benchmark`. The slides are derived: tissue of `CMU-1-Small-Region.svs`,",
        "mirrored and repeated in tissue-shaped areas on glass, 45 % tissue, tiled JPEG pyramid,",
        "0.499 um per pixel. `libvips` is the time it takes to write the same slide again as a tiled",
        "JPEG pyramid, in the same run. Memory is the peak that the operating system counted for the",
        f"stage's process. {cores} cores, {platform.machine()}, Python {platform.python_version()}.",
        "",
    ]
    for size, side in SIDES.items():
        runs = [json.loads(path.read_text()) for path in sorted(folder.glob(f"run-{size}-*.json"))]
        if runs:
            lines += _size_section(size, side, runs)
    write_section(PAGE, "speed", "\n".join(lines))


def _size_section(size: str, side: int, runs: list[dict]) -> list[str]:
    def median(*keys: str) -> float:
        values = []
        for run in runs:
            value = run
            for key in keys:
                value = value[key]
            values.append(value)
        return statistics.median(values)

    libvips, workflow = median("libvips"), median("workflow")
    tissue_mpx = median("tissue_mm2") / 0.499**2
    full = tissue_mpx / median("full_resolution_mpx_per_second")
    lines = [
        f"### {size} gigapixel ({side} x {side}), median of {len(runs)} run(s)",
        "",
        "| | seconds | x libvips | megapixels/s | peak MiB | read MiB | written MiB |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        f"| libvips copy | {libvips:.1f} | 1 | {side**2 / 1e6 / libvips:.0f} | | | |",
        (
            f"| **whole workflow** | {workflow:.1f} | {workflow / libvips:.1f} |"
            f" {side**2 / 1e6 / workflow:.0f} | | | |"
        ),
    ]
    for stage in STAGES:
        seconds = median("stages", stage, "seconds")
        lines.append(
            f"| {stage} | {seconds:.1f} | {seconds / libvips:.1f} |"
            f" {side**2 / 1e6 / max(seconds, 0.1):.0f} |"
            f" {median('stages', stage, 'memory_mib'):.0f} |"
            f" {median('stages', stage, 'read_mib'):.0f} |"
            f" {median('stages', stage, 'written_mib'):.0f} |"
        )
    return [
        *lines,
        "",
        f"- Regions: {median('regions'):.0f}; tissue: {tissue_mpx:.0f} megapixels.",
        (
            f"- The same network slid over the same tissue at full resolution (MONAI's"
            f" `SlidingWindowInferer`, timed on one megapixel and scaled): {full:.0f} s,"
            f" {full / workflow:.0f} x the whole workflow."
        ),
        (
            f"- Inverse of one region: scipy's linear `griddata` {median('griddata'):.2f} s, `unwarp`"
            f" {median('unwarp'):.3f} s, {median('griddata') / median('unwarp'):.0f} x; median"
            f" difference {median('unwarp_difference'):.1e}."
        ),
        "",
    ]


if __name__ == "__main__":
    main()
