"""A run that ended in the middle: its report can be made, and the next run does what is missing."""

import re
import subprocess
import sys

import pytest
from snakemake_run import jobs_of, snakemake

from lds_path.options.slides import DemoOptions
from lds_path.provenance.verification import verify
from lds_path.stages.demo import demo

pytestmark = pytest.mark.slow

SETTINGS = {
    "tile": {"mpp": 0.5},
    "detect": {
        "tissue_mpp": 8.0, "min_tissue_um2": 1.0, "max_hole_um2": 1.0, "region_size": 512,
        "overlap": 64, "lattice": 64,
    },
}  # fmt: skip
SLIDES = ("good", "broken", "later")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A cohort of which one slide came far, one is in quarantine and one was not begun."""
    folder = tmp_path_factory.mktemp("interrupted")
    demo(folder / "painted", options=DemoOptions(seed=1, width=700, height=600))
    (folder / "broken.svs").write_text("no slide")
    rows = ["slide\tpath", "good\tpainted/slide.tif", "broken\tbroken.svs", "later\tlater.svs"]
    (folder / "slides.tsv").write_text("\n".join(rows) + "\n")
    run = run_on(folder, "results/assess/good", "results/detect/broken")
    assert run.returncode == 0, run.stderr + run.stdout
    return folder


def run_on(folder, *arguments):
    """Run the workflow on the cohort, to the end or to the folders that are named."""
    sheet = f"slides={folder / 'slides.tsv'}"
    return snakemake(folder, "--config", sheet, "--retries", "0", *arguments, change=SETTINGS)


def test_the_report_of_what_is_done_names_what_is_not(folder):
    command = [sys.executable, "-m", "lds_path.cli", "report", "results", "so-far"]
    run = subprocess.run(
        [*command, "--sheet", "slides.tsv"], cwd=folder, capture_output=True, text=True, check=True
    )
    assert run.stdout.startswith("3 slides: 1 quarantined, 2 not finished.")
    assert "broken (tile): " in run.stdout
    assert "good (export): export is not done yet" in run.stdout
    assert "later (tile): tile is not done yet" in run.stdout
    page = (folder / "so-far/index.html").read_text()
    assert all(f">{slide}<" in page for slide in SLIDES)
    assert (folder / "so-far/slides/pictures/good/overlay.jpg").is_file()


def test_the_next_run_does_what_is_missing_and_nothing_again(folder):
    missing = jobs_of(run_on(folder, "-n"))
    per_slide = {"segment": 2, "stitch": 2, "assess": 2, "plan": 2, "export": 3}
    assert missing == {"tile": 1, "detect": 1, **per_slide, "report": 1, "all": 1, "total": 15}
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("results/*/*/manifest.json")}
    run = run_on(folder)
    assert run.returncode == 0, run.stderr + run.stdout
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert re.search(r"3 slides: 1 done \(1 \w+\), 2 quarantined\.", run.stdout)
    assert verify(folder / "results").findings == ()
    assert jobs_of(run_on(folder, "-n")) == {}
