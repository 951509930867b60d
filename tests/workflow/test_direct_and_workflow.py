"""`lds-path run` and Snakemake write the same folders, and each accepts what the other wrote."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from snakemake_run import REPOSITORY, jobs_of, snakemake

from lds_path.options.slides import DemoOptions
from lds_path.stages.demo import demo

pytestmark = pytest.mark.slow

CHANGE = {
    "detect": {"region_size": 512, "overlap": 64, "lattice": 64, "min_tissue_um2": 1.0},
    "labels": {"class_map": {"4": None}, "ignore": ["Ignore*", "9"]},
    "export": {"tolerance_um": 2},
    "plan": {"budget": 140},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Folder of a sheet with a labelled and a missing slide; `direct` and `jobs` are its results."""
    folder = tmp_path_factory.mktemp("two-ways")
    demo(folder / "a", options=DemoOptions(seed=3, width=640, height=512))
    rows = ["a\ta/slide.tif\t0.5\ta/labels.tif", "gone\tgone.svs\t\t"]
    (folder / "slides.tsv").write_text("\n".join(["slide\tpath\tmpp\tlabels", *rows]) + "\n")
    (folder / "mine.yaml").write_text(yaml.safe_dump(CHANGE))
    (folder / "direct").mkdir()
    (folder / "jobs").mkdir()
    run = start(folder / "direct")
    assert run.returncode == 0, run.stderr
    run = ask_snakemake(folder / "jobs")
    assert run.returncode == 0, run.stderr + run.stdout
    return folder


def start(place):
    command = [sys.executable, "-m", "lds_path.cli", "run", "../slides.tsv", "-o", "results"]
    command += ["--model", "demo", "--config", "../mine.yaml", "--threads", "2"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, check=False
    )


def ask_snakemake(place, *arguments):
    sheet = place.parent / "slides.tsv"
    change = {"slides": str(sheet), "model": "demo", "classes": None, **CHANGE}
    return snakemake(place, *arguments, change=change)


def manifests(results: Path):
    found = [*results.glob("*/manifest.json"), *results.glob("*/*/manifest.json")]
    found += results.glob("segment/*/*/manifest.json")
    return {str(path.parent.relative_to(results)): json.loads(path.read_text()) for path in found}


def test_both_ways_write_the_same_folders_with_the_same_parameters_and_bytes(folder):
    direct, jobs = manifests(folder / "direct/results"), manifests(folder / "jobs/results")
    assert direct.keys() == jobs.keys()
    assert len(direct) == 2 * 7 + 2
    for name, manifest in direct.items():
        other = jobs[name]
        assert manifest["parameters"] == other["parameters"], name
        assert manifest["inputs"].keys() == other["inputs"].keys(), name
        assert manifest["status"] == other["status"], name
        if name.split("/")[0] not in ("report", "assess", "tile"):
            assert manifest["outputs"] == other["outputs"], name


def test_snakemake_finds_nothing_to_do_where_a_direct_run_ended(folder):
    assert jobs_of(ask_snakemake(folder / "direct", "-n")) == {}


def test_a_direct_run_finds_nothing_to_do_where_snakemake_ended(folder):
    before = manifests(folder / "jobs/results")
    run = start(folder / "jobs")
    assert run.returncode == 0, run.stderr
    assert run.stderr.count("done before") == 2
    assert manifests(folder / "jobs/results") == before


def test_snakemake_continues_with_the_configuration_that_a_direct_run_wrote(folder):
    place = folder / "direct"
    command = ["snakemake", "-n", "--snakefile", str(REPOSITORY / "Snakefile"), "--cores", "1"]
    command += ["--directory", str(place), "--configfile", str(place / "results/config.yaml")]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    run = subprocess.run(
        command,
        cwd=place,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert jobs_of(run) == {}
