"""What a slide costs in a cohort of many; writes the section `cohort` of docs/speed.md.

Three runs on one core, of slides so small that their own work hardly counts: a dry run of the whole
cohort, a real run of it that is interrupted after a while, and a run of a few slides to the end.
Processor time, not the clock, is what is divided by the jobs, so that other programs on the machine
change little.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean

import click
from page import write_section

from lds_path.options.slides import DemoOptions
from lds_path.provenance.cohort import STAGES
from lds_path.stages.demo import demo

REPOSITORY = Path(__file__).parent.parent.parent
PAGE = REPOSITORY / "docs/speed.md"
WIDTH, HEIGHT = 700, 600
SETTINGS = """
tile: {mpp: 0.5}
detect: {tissue_mpp: 8.0, min_tissue_um2: 1.0, max_hole_um2: 1.0, region_size: 512, overlap: 64, lattice: 64}
"""
DRY_RUN_TARGET, JOB_TARGET = 60, 3
"""Seconds."""


@dataclass(frozen=True)
class Run:
    """One call of Snakemake."""

    seconds: float
    processor_seconds: float
    """Of Snakemake and all that it started."""
    memory_mib: float
    """Peak of Snakemake's own process."""
    output: str

    def jobs(self) -> dict[str, int]:
        """Return rule -> number of jobs by Snakemake's table."""
        table = self.output.split("Job stats:")[1].split("\n\n")[0]
        return {
            name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)
        }

    def finished(self) -> int:
        """Return how many jobs ended."""
        return len(re.findall(r"^Finished jobid", self.output, re.MULTILINE))


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), required=True, help="Scratch folder.")
@click.option("--slides", default=1000, show_default=True, help="Of the whole cohort.")
@click.option("--few", default=10, show_default=True, help="Slides that are run to the end.")
@click.option("--limit", default=180, show_default=True, help="Seconds of the interrupted run.")
def main(folder: Path, slides: int, few: int, limit: int) -> None:
    """Measure, and write the section of docs/speed.md on large cohorts."""
    folder = folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    demo(folder / "painted", options=DemoOptions(seed=1, width=WIDTH, height=HEIGHT))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    dry = call(make_cohort(folder / "all", slides), "--dry-run")
    started = call(folder / "all", limit=limit)
    left = call(folder / "all", "--dry-run")
    single = call(make_cohort(folder / "one", 1), "--dry-run")
    whole = call(make_cohort(folder / "few", few))
    (folder / "runs.json").write_text(
        json.dumps([asdict(run) for run in (dry, single, started, left, whole)])
    )
    options = f"--slides {slides} --few {few} --limit {limit}"
    text = describe(folder, slides, few, dry, single, started, left, whole)
    write_section(PAGE, "cohort", text.replace("OPTIONS", options))


def make_cohort(folder: Path, slides: int) -> Path:
    """Write a sheet of many names of one painted slide."""
    (folder / "slides").mkdir(parents=True)
    rows = ["slide\tpath"]
    for number in range(slides):
        path = folder / "slides" / f"{number:04}.tif"
        os.link(folder.parent / "painted/slide.tif", path)
        rows.append(f"s{number:04}\t{path}")
    (folder / "slides.tsv").write_text("\n".join(rows) + "\n")
    (folder / "change.yaml").write_text(SETTINGS)
    return folder


def call(folder: Path, *arguments: str, limit: float | None = None) -> Run:
    """Run Snakemake on one core; interrupt it, as Ctrl-C does, at the limit."""
    command = ["snakemake", "--snakefile", str(REPOSITORY / "Snakefile"), "--cores", "1"]
    command += ["--directory", str(folder), "--config", f"slides={folder / 'slides.tsv'}"]
    command += ["--configfile", str(REPOSITORY / "config.yaml"), str(folder / "change.yaml")]
    log = folder / "snakemake.log"
    before, started, memory = used(), time.perf_counter(), 0.0
    with log.open("w") as stream:
        process = subprocess.Popen(
            [*command, *arguments], stdout=stream, stderr=stream, cwd=REPOSITORY,
            start_new_session=True,
        )  # fmt: skip
        stopped = False
        while process.poll() is None:
            memory = max(memory, peak_mib(process.pid))
            if limit is not None and not stopped and time.perf_counter() - started > limit:
                process.send_signal(signal.SIGTERM)  # no new jobs; those that run may end
                stopped = True
            time.sleep(0.1)
    if process.returncode and limit is None:
        raise SystemExit(f"Snakemake failed; see {log}")
    seconds = time.perf_counter() - started
    return Run(seconds, used() - before, memory, log.read_text())


def used() -> float:
    """Return the processor time of all processes that were started here and ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def peak_mib(process: int) -> float:
    """Return the largest memory of a process so far, without that of its children."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 2**10 if found else 0.0


def stage_seconds(folder: Path) -> dict[str, tuple[float, float, float]]:
    """Return stage -> mean seconds of its jobs: by the clock, of the processor, of the work itself."""
    found = defaultdict(list)
    for path in sorted((folder / "benchmarks").rglob("*.tsv")):
        names, values = (line.split("\t") for line in path.read_text().splitlines()[:2])
        row = dict(zip(names, values, strict=True))
        stage = path.relative_to(folder / "benchmarks").parts[0]
        place = (folder / "results" / path.relative_to(folder / "benchmarks")).with_suffix("")
        work = json.loads((place / "manifest.json").read_text())["seconds"]
        if stage in STAGES:
            found[stage].append((float(row["s"]), float(row["cpu_time"]), work))
    return {stage: tuple(map(mean, zip(*rows, strict=True))) for stage, rows in found.items()}


def count_files(folder: Path) -> tuple[int, float]:
    """Return how many files a run wrote, and their bytes in MiB."""
    made = [folder / name for name in ("results", "logs", "benchmarks", ".snakemake")]
    files = [path for place in made for path in place.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files) / 2**20


def describe(
    folder: Path, slides: int, few: int, dry: Run, single: Run, started: Run, left: Run, whole: Run
) -> str:
    """Return the section."""
    jobs, rest, ran = dry.jobs()["total"], left.jobs()["total"], whole.jobs()["total"]
    ended = started.finished()
    per_job = whole.processor_seconds / ran
    per_started = (started.processor_seconds - dry.processor_seconds) / ended
    files, size = count_files(folder / "few")
    stages = stage_seconds(folder / "few")
    starts = {stage: clock - work for stage, (clock, _, work) in stages.items()}
    slowest, start = max(starts.items(), key=lambda item: item[1])
    dearest = max(per_job, per_started)
    rows = [
        f"| {stage} | {clock:.2f} | {work:.2f} | {clock - work:.2f} |"
        for stage, (clock, _, work) in sorted(
            stages.items(), key=lambda item: STAGES.index(item[0])
        )
    ]
    verdicts = [
        "met" if dry.seconds < DRY_RUN_TARGET else "missed",
        "met" if dearest < JOB_TARGET else "missed",
        "met" if start < JOB_TARGET else "missed",
    ]
    return f"""
Written by `python tests/benchmark/large_cohort.py --folder build/cohort OPTIONS`.
Painted slides of {WIDTH} x {HEIGHT} pixels, one core. What is divided by jobs is processor time of Snakemake and all
processes that it started, the stages' own work included: an upper bound of the overhead.

| target | found | |
| --- | ---: | --- |
| dry run of {slides} slides, {jobs} jobs: under {DRY_RUN_TARGET} s | {dry.seconds:.1f} s | {verdicts[0]} |
| overhead per slide and stage, mean: under {JOB_TARGET} s | {dearest:.2f} s | {verdicts[1]} |
| the slowest stage to start, {slowest}: under {JOB_TARGET} s | {start:.2f} s | {verdicts[2]} |

- Graph of {slides} slides: {dry.seconds - single.seconds:.1f} s more than that of one slide
  ({single.seconds:.1f} s); Snakemake takes {dry.memory_mib:.0f} MiB, for one slide {single.memory_mib:.0f} MiB.
- {few} slides to the end: {ran} jobs, {whole.processor_seconds:.0f} s of processor time,
  {per_job:.2f} s a job; {files / few:.0f} files and {size / few:.1f} MiB a slide.
- {slides} slides, interrupted after {started.seconds:.0f} s: {ended} jobs ended, {per_started:.2f} s of processor
  time a job beyond the dry run's; Snakemake took {started.memory_mib:.0f} MiB. The next run would do the other
  {rest} of {jobs} jobs: {"nothing twice" if ended + rest == jobs else f"{ended + rest - jobs} again"}.
- Not run to the end: at {dearest:.2f} s a job, {slides} such slides take about {dearest * jobs / 3600:.1f} hours of one core.

A job of the {few} slides, mean, by the clock:

| stage | seconds | of these its work | start and end of the process |
| --- | ---: | ---: | ---: |
{chr(10).join(rows)}
"""


if __name__ == "__main__":
    main()
