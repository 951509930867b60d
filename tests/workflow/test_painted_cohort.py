"""The demo from end to end, by the commands of the first ten minutes: painted slides in, labels, objects,
scores and report out; then the commands that pages run on its results.
"""

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
import tifffile
from notebook_run import run_notebook
from page_blocks import blocks_of, run_script, script_with
from skimage.registration import phase_cross_correlation
from snakemake_run import jobs_of, snakemake_in

from lds_path.pixels.synthetic import CLASSES
from lds_path.provenance.explanation import explain
from lds_path.provenance.verification import verify

pytestmark = pytest.mark.slow

PAGE = "docs/first-ten-minutes.md"
SLIDES = ("painted-101", "painted-102")


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[Path, str]:
    """Working folder of the page, with the configuration as it is shipped, and what the run printed."""
    folder = tmp_path_factory.mktemp("ten minutes")
    printed = run_script(script_with(PAGE, "lds-path init"), folder)
    return folder / "my-study", printed


def test_the_last_lines_name_the_files_to_open(demo):
    folder, output = demo
    summary = output[output.index("2 slides: 2 done") :]
    for line in summary.splitlines():
        if line.strip().startswith("results/"):
            assert (folder / line.strip().split(": ")[0]).exists(), line
    for name in ("overlay.jpg", ".labels.ome.tif", ".geojson.gz", "index.html"):
        assert name in summary
    assert summary.startswith("2 slides: 2 done (2 pass).")


def test_everything_that_a_run_wrote_matches_its_manifests(demo):
    verification = verify(demo[0] / "results", threads=2)
    assert verification.findings == ()
    assert verification.folders == 9 * len(SLIDES) + 1


def test_a_result_is_told_from_the_painting_on(demo):
    name = f"results/stitch/{SLIDES[0]}/{SLIDES[0]}.labels.ome.tif"
    stages = re.findall(r"^\d\. (\w+):", explain(demo[0] / name), re.MULTILINE)
    assert stages[0] == "demo"
    assert stages[-1] == "stitch"
    assert set(stages) == {"demo", "tile", "detect", "plan", "segment", "stitch"}
    assert len(stages) == 6


def test_the_notebook_runs_on_the_results(demo, tmp_path):
    tables = run_notebook(demo[0] / "results", tmp_path)
    for name in ("areas", "borders", "metrics"):
        assert json.loads(tables[name])["index"] == list(SLIDES)
    assert set(json.loads(tables["areas"])["columns"]) == set(CLASSES)


@pytest.mark.parametrize("slide", SLIDES)
def test_every_class_is_found_on_slides_that_training_never_saw(demo, slide):
    scores = pd.read_csv(demo[0] / f"results/evaluate/{slide}/scores.tsv", sep="\t")
    assert set(scores["class"]) == set(CLASSES)
    assert scores["dice"].min() >= 0.85


@pytest.mark.parametrize("slide", SLIDES)
def test_the_labels_lie_over_the_tissue_at_every_level(demo, slide):
    """Structures are found where they were painted; the model's own errors are about 1 pixel."""
    painted = tifffile.imread(demo[0] / f"results/demo/{slide}/labels.tif") > 1
    with tifffile.TiffFile(demo[0] / f"results/stitch/{slide}/{slide}.labels.ome.tif") as tiff:
        for level, page in enumerate(tiff.series[0].levels):
            scale = 2 ** (level + 1)  # the finest label pixels are two working pixels wide
            found = page.asarray()[: 5120 // scale, : 6144 // scale] > 1
            expected = painted.reshape(5120 // scale, scale, 6144 // scale, scale).mean((1, 3))
            middle = np.s_[1024 // scale : 5120 // scale, 1024 // scale : 5120 // scale]
            shift, _, _ = phase_cross_correlation(
                expected[middle], found[middle], upsample_factor=20, normalization=None
            )
            assert np.abs(shift * scale).max() <= 2.5


@pytest.mark.parametrize("slide", SLIDES)
def test_the_objects_are_valid_for_qupath(demo, slide):
    with gzip.open(demo[0] / f"results/export/{slide}/{slide}.geojson.gz", "rt") as stream:
        features = json.load(stream)["features"]
    assert len({feature["id"] for feature in features}) == len(features) > 0
    for feature in features:
        polygon = shapely.from_geojson(json.dumps(feature["geometry"]))
        assert polygon.is_valid
        assert feature["properties"]["objectType"] in ("annotation", "detection")
        assert feature["properties"]["classification"]["name"] in CLASSES


def plan_again(folder: Path, *changes: str) -> dict[str, int]:
    """Return the jobs of another run with changed keys."""
    config = ["slides=demo", "model=demo", *changes]
    return jobs_of(snakemake_in(folder, "-n", "--cores", "2", "--config", *config))


def test_a_second_run_has_nothing_to_do(demo):
    assert plan_again(demo[0]) == {}


def test_a_changed_export_key_repeats_export_and_what_follows_alone(demo):
    jobs = plan_again(demo[0], "export={tolerance_um: 2.0}")
    assert jobs == {"study": 1, "export": 2, "report": 1, "total": 4}


def test_a_changed_stitch_key_leaves_the_network_alone(demo):
    jobs = plan_again(demo[0], "stitch={mpp: 1.0}")
    assert not {"tile", "detect", "segment"} & set(jobs)
    assert jobs["stitch"] == 2


def test_the_result_opens_in_python(demo, monkeypatch):
    monkeypatch.chdir(demo[0])
    (block,) = blocks_of(PAGE, "python")
    names: dict[str, object] = {}
    exec(block, names)  # noqa: S102 - our own page
    assert names["result"].name == "painted-101"


@pytest.mark.parametrize(
    ("page", "words", "expected"),
    [
        ("docs/trust.md", "lds-path explain", "results/ro-crate-metadata.json"),
        ("docs/slides.md", "--what-if", "with equal lattices"),
        ("docs/suggest.md", "lds-path suggest", "suggested"),
    ],
)
def test_commands_of_pages_run_on_the_result(demo, page, words, expected):
    lines = script_with(page, words).replace("case-1", "painted-101").splitlines()
    of_the_package = [line for line in lines if line.startswith("lds-path ")]
    script = "\n".join(of_the_package).replace(" --sheet slides.tsv", "")  # it lists no slide yet
    assert expected in run_script(script, demo[0])
