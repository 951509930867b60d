"""A slide and a model are all their files: a run notices when any of them is another one."""

import shutil

import numpy as np
import pytest
from dicom import new_uid, write_instance
from mirax import write_mirax
from snakemake_run import jobs_of, snakemake

from lds_path.geometry import Size
from lds_path.models.card import find_model
from lds_path.pixels.synthetic import paint_slide
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.verification import verify

pytestmark = pytest.mark.slow

SLIDES = ("mirax", "dicom", "missing")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three slides of several files, of which one lacks a file, and a model; planned."""
    folder = tmp_path_factory.mktemp("exchanged")
    write_slides(folder, seed=1)
    write_slides(folder / "other", seed=2)
    data = folder / "missing" / "Data0000.dat"
    data.rename(folder / "Data0000.dat")
    rows = ["mirax\tmirax.mrxs", "dicom\tdicom/1.dcm", "missing\tmissing.mrxs"]
    (folder / "slides.tsv").write_text("\n".join(["slide\tpath", *rows]) + "\n")
    shutil.copytree(find_model("demo"), folder / "model")
    run = run_to(folder, "plan")
    assert run.returncode == 0, run.stderr + run.stdout
    return folder


def write_slides(folder, *, seed):
    pixels = np.concatenate(list(paint_slide(seed, Size(768, 768)).strips()))
    for name in ("mirax", "missing"):
        folder.mkdir(exist_ok=True)
        write_mirax(folder / f"{name}.mrxs", pixels, 0.5)
    series = new_uid()
    for number in range(2):
        level = pixels[:: 2**number, :: 2**number]
        write_instance(folder / "dicom" / f"{number}.dcm", level, 0.5 * 2**number, series)


def run_to(folder, stage, *arguments):
    settings = {"detect": {"min_tissue_um2": 1.0, "region_size": 512, "overlap": 64, "lattice": 64}}
    options = ("--config", f"slides={folder / 'slides.tsv'}", f"model={folder / 'model'}")
    return snakemake(folder, "--until", stage, *arguments, *options, change=settings)


def repeated(folder):
    """Return the slides that a run would tile again."""
    output = run_to(folder, "tile", "-n", "-p").stdout
    return [slide for slide in SLIDES if f" results/tile/{slide} " in output]


def test_a_slide_is_analysed_again_when_any_of_its_files_is_mended_or_exchanged(folder):
    assert read_manifest(folder / "results/tile/missing").quarantined
    assert not read_manifest(folder / "results/tile/dicom").quarantined
    shutil.move(folder / "Data0000.dat", folder / "missing" / "Data0000.dat")
    assert repeated(folder) == ["missing"]
    for name in ("mirax/Data0000.dat", "dicom/0.dcm"):
        times = (folder / name).stat()
        shutil.copy(folder / "other" / name, folder / name)
        assert times.st_ino == (folder / name).stat().st_ino
    found = [str(finding) for finding in verify(folder / "results").findings]
    assert ["mirax/Data0000.dat is sha256" in line for line in found].count(True) == 1
    assert len(found) == 2
    run = run_to(folder, "tile")
    assert run.returncode == 0, run.stderr + run.stdout
    assert not read_manifest(folder / "results/tile/missing").quarantined
    assert verify(folder / "results/tile").findings == ()
    assert repeated(folder) == []


def test_a_model_that_is_written_again_in_its_folder_is_used_again_and_a_touched_one_is_not(folder):
    assert run_to(folder, "plan").returncode == 0
    for name in ("weights.safetensors", "model.json"):
        (folder / "model" / name).touch()
    assert jobs_of(run_to(folder, "plan", "-n")).get("plan") is None
    path = folder / "model" / "model.json"
    path.write_text(path.read_text() + "\n")
    assert jobs_of(run_to(folder, "plan", "-n"))["plan"] == 3


def test_a_run_that_ends_before_the_report_does_not_print_that_of_an_earlier_one(folder):
    summary = folder / "results/report/summary.txt"
    summary.parent.mkdir()
    summary.write_text("of an earlier run")
    run = run_to(folder, "detect", "--forcerun", "detect")
    shutil.rmtree(summary.parent)
    assert run.returncode == 0, run.stderr + run.stdout
    assert "of an earlier run" not in run.stdout + run.stderr
