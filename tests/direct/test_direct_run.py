"""A run in one process: what it writes, keeps and repeats, and what becomes of bad slides."""

import json
import shutil

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner
from filelock import FileLock

from lds_path.cli import cli
from lds_path.direct import slide_stages
from lds_path.errors import StageInputError, UsageError
from lds_path.formats.pyramid import open_pyramid
from lds_path.options.slides import DemoOptions
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.verification import verify
from lds_path.stages.demo import demo

STAGES = ("tile", "detect", "plan", "segment", "stitch", "export", "assess")
CONFIG = "detect: {region_size: 512, overlap: 64, lattice: 64, min_tissue_um2: 1.0}\n"


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """Folder of a run over a good and a damaged slide, and its result."""
    folder = tmp_path_factory.mktemp("direct")
    for name, seed in (("good", 3), ("other", 4)):
        demo(folder / name, options=DemoOptions(seed=seed, width=640, height=512))
    (folder / "scans").mkdir()
    shutil.copy(folder / "good" / "slide.tif", folder / "scans" / "a good one.tif")
    (folder / "scans" / "bad.svs").write_bytes(b"no slide")
    (folder / "mine.yaml").write_text(CONFIG)
    return folder, start(folder)


@pytest.fixture
def again(first, tmp_path):
    """A copy of that folder in which a test may run again."""
    folder = tmp_path / "copy"
    shutil.copytree(first[0], folder)
    sheet = folder / "out" / "slides.tsv"
    sheet.write_text(sheet.read_text().replace(str(first[0]), str(folder)))
    return folder


def start(folder, *arguments, source="scans"):
    command = ["run", str(folder / source), "-o", str(folder / "out"), "--model", "demo"]
    command += ["--config", str(folder / "mine.yaml"), "--threads", "2", *arguments]
    return CliRunner().invoke(cli, command)


def times(folder):
    """Return stage and slide -> when its manifest was written."""
    out = folder / "out"
    found = [*out.glob("*/*/manifest.json"), *out.glob("*/*/*/manifest.json")]
    return {"/".join(path.relative_to(out).parts[:2]): path.stat().st_mtime_ns for path in found}


def repeated(before, after):
    return {name.split("/")[0] for name in after if before.get(name) != after[name]}


def test_a_bad_slide_is_quarantined_and_the_other_one_done(first):
    folder, result = first
    assert result.exit_code == 0, result.output
    assert "2 slides: 1 done (1 warn), 1 quarantined." in result.stdout
    assert "bad (tile): " in result.stdout
    assert "[2/2] bad: quarantined by tile" in result.stderr
    assert (folder / "out" / "report" / "index.html").is_file()
    assert set(times(folder)) >= {f"{s}/{slide}" for s in STAGES for slide in ("a-good-one", "bad")}


def test_everything_that_it_wrote_matches_its_manifests(first):
    assert verify(first[0] / "out").findings == ()


def test_what_stages_log_is_in_a_file(first):
    assert "bad is quarantined" in (first[0] / "out" / "run.log").read_text()


def test_a_finished_run_does_nothing_and_tells_again_what_to_open(again):
    report = again / "out" / "report" / "manifest.json"
    start(again)  # the sheet of the copy has other paths
    before, reported = times(again), report.stat().st_mtime_ns
    result = start(again)
    assert (result.exit_code, repeated(before, times(again))) == (0, set())
    assert report.stat().st_mtime_ns == reported
    assert "2 slides: 1 done (1 warn), 1 quarantined." in result.stdout
    assert "a-good-one: warn; done before" in result.stderr


def test_another_parameter_repeats_the_stages_from_there_on_and_the_report(again):
    start(again)
    before = times(again)
    (again / "mine.yaml").write_text(CONFIG + "export: {tolerance_um: 3}\n")
    assert start(again).exit_code == 0
    assert repeated(before, times(again)) == {"export"}
    page = again / "out" / "report" / "slides" / "a-good-one.html"
    assert "up to 3" in " ".join(page.read_text().split())


def test_a_replaced_slide_repeats_all_its_stages(again):
    start(again)
    before = times(again)
    shutil.copy(again / "other" / "slide.tif", again / "scans" / "a good one.tif")
    start(again)
    assert repeated(before, times(again)) == set(STAGES)


def test_a_slide_that_is_repaired_leaves_quarantine(again):
    shutil.copy(again / "other" / "slide.tif", again / "scans" / "bad.svs")
    assert "2 slides: 2 done (" in start(again).stdout


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (StageInputError("mask.png is damaged"), "mask.png is damaged"),
        (RuntimeError("cannot happen"), "RuntimeError: cannot happen; see run.log"),
        (MemoryError(), "not enough memory; close other programs, or give fewer --threads"),
        (OSError(28, "No space left on device", "x"), "x cannot be written: No space left"),
    ],
)
def test_a_slide_that_fails_does_not_stop_the_others(again, monkeypatch, error, reason):
    def fail(**arguments):
        if arguments["output"].name == "a-good-one":
            raise error
        return read_manifest(arguments["output"])

    monkeypatch.setitem(slide_stages.STAGES, "plan", fail)
    result = start(again)
    assert result.exit_code == 1
    assert "[1/2] a-good-one: failed in plan" in result.stderr
    assert "[2/2] bad: quarantined" in result.stderr
    assert result.stdout.splitlines()[-2] == "failed:"
    assert f"a-good-one (plan): {reason}" in result.stdout.splitlines()[-1]
    if isinstance(error, RuntimeError) and not isinstance(error, StageInputError):
        assert "Traceback" in (again / "out" / "run.log").read_text()


def test_a_strict_run_fails_on_the_quarantined_slide(again):
    (again / "mine.yaml").write_text(CONFIG + "strict: true\n")
    result = start(again)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].startswith("  bad (tile): ")


def test_an_interruption_ends_with_how_to_resume(again, monkeypatch):
    def interrupt(**arguments):
        raise KeyboardInterrupt

    monkeypatch.setitem(slide_stages.STAGES, "stitch", interrupt)
    result = start(again)
    assert result.exit_code == 130
    assert result.stderr.strip().endswith("Interrupted; the same command resumes.")


def test_two_runs_do_not_write_into_one_folder(again):
    with FileLock(again / "out" / ".lds-path-run.lock"):
        result = start(again)
    assert isinstance(result.exception, UsageError)
    assert "another `lds-path run` is writing" in str(result.exception)


def test_labels_of_a_sheet_are_scored(again):
    (again / "slides.tsv").write_text(
        "slide\tpath\tlabels\tmpp\nx\tgood/slide.tif\tgood/labels.tif\t0.5\n"
    )
    result = start(again, source="slides.tsv")
    assert "1 slides: 1 done (" in result.stdout
    manifest = read_manifest(again / "out" / "evaluate" / "x")
    assert manifest.parameters["boundary_um"] == 5.0
    tile = json.loads((again / "out" / "tile" / "x" / "manifest.json").read_text())
    assert tile["parameters"]["slide_mpp"] == 0.5


def test_a_row_of_the_sheet_is_a_scene_of_a_file(again):
    pixels = tifffile.imread(again / "good" / "slide.tif", key=0)
    with tifffile.TiffWriter(again / "both.ome.tif", ome=True) as writer:
        for name, image in {"first": pixels, "second": pixels[::-1]}.items():
            sizes = {"Name": name, "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
            writer.write(image, photometric="rgb", tile=(128, 128), metadata=sizes)
    rows = ["slide\tpath\tscene", "a\tboth.ome.tif\t0", "b\tboth.ome.tif\tSecond"]
    (again / "slides.tsv").write_text("\n".join([*rows, "c\tboth.ome.tif\tthird\n"]))
    result = start(again, source="slides.tsv")
    assert "3 slides: 2 done" in result.stdout
    assert "has no scene 'third', but image 0 'first': 640 x 512, image 1 'second'" in result.stdout
    for slide, image in (("a", pixels), ("b", pixels[::-1])):
        pyramid = open_pyramid(again / "out" / "tile" / slide)
        found = pyramid.read(0, 0, 0, pyramid.size).astype(int)
        assert np.abs(found - image).mean() < 3  # glass is flattened
    project = json.loads((again / "out" / "qupath" / "project.qpproj").read_text())
    servers = {image["imageName"]: image["serverBuilder"] for image in project["images"]}
    assert [servers[slide]["args"] for slide in "ab"] == [["--series", "0"], ["--series", "1"]]
