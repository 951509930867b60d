"""The story of a file names what one needs to make it again."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from lds_path.cli import cli
from lds_path.errors import UsageError
from lds_path.provenance.explanation import explain
from lds_path.provenance.fingerprint import sha256
from lds_path.provenance.stage_run import installed_versions, run_stage

REPOSITORY = Path(__file__).parent.parent.parent


def run(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "lds_path.cli", *arguments],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, check=True,
        capture_output=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A painted slide, tiled, divided into regions and segmented by the command line."""
    folder = tmp_path_factory.mktemp("explained")
    run(folder, "demo", "my slides", "--width", "700", "--height", "600")
    (folder / "results/tile").mkdir(parents=True)
    run(folder, "tile", "my slides/slide.tif", "results/tile/case-1", "--mpp", "1.0")
    tissue = ["--region-size", "256", "--overlap", "32", "--lattice", "32", "--min-tissue-um2", "1"]
    run(folder, "detect", "results/tile/case-1", "results/detect/case-1", *tissue)
    return folder


def test_a_file_is_explained_from_the_slide_on(folder):
    file = folder / "results/detect/case-1/regions.tsv"
    text = explain(file)
    slide = folder / "my slides/slide.tif"
    assert text.startswith(f"{file} is as detect wrote it, sha256 {sha256(file)}\n")
    assert f"case-1, my slides/slide.tif (sha256 {sha256(slide)})" in text
    assert text.index("1. tile") < text.index("2. detect")
    assert "mpp = 1.0" in text
    assert "region_size = 256" in text
    for package, version in installed_versions().items():
        assert f"{package} {version}" in text


def test_the_command_in_the_explanation_makes_the_file_again(folder):
    file = folder / "results/detect/case-1/regions.tsv"
    before = file.read_bytes()
    commands = [line for line in explain(file).splitlines() if " command " in line]
    file.unlink()
    for line in commands:
        program, *arguments = shlex.split(line.split("command", 1)[1])
        assert program == "lds-path"
        run(folder, *arguments)
    assert file.read_bytes() == before


def test_a_file_that_changed_says_so(folder, tmp_path):
    file = folder / "results/detect/case-1/regions.tsv"
    before = file.read_bytes()
    file.write_bytes(before + b"\n")
    assert "was written by detect and has changed since" in explain(file).splitlines()[0]
    file.write_bytes(before)


def test_a_chunk_of_a_store_is_explained_as_its_store(folder):
    chunks = (folder / "results/tile/case-1/pyramid.ome.zarr").rglob("*")
    chunk = next(path for path in chunks if path.is_file())
    assert "is as tile wrote it" in explain(chunk).splitlines()[0]


def test_a_foreign_file_is_not_explained_as_a_result(folder):
    file = folder / "results/tile/case-1/notes.txt"
    file.touch()
    assert "which did not write it" in explain(file).splitlines()[0]
    file.unlink()


def test_the_model_is_named_and_not_what_it_was_trained_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = Path("results")

    def write(folder, _):
        (folder / "out.bin").write_bytes(b"x")
        return {}

    other = {"tile": results / "tile/other"}
    run_stage("tile", other["tile"], write, inputs={}, parameters={}, slide="other")
    run_stage("train", results / "train", write, inputs=other, parameters={}, slide="train")
    run_stage("tile", results / "tile/a", write, inputs={}, parameters={}, slide="a")
    inputs = {"tile": results / "tile/a", "model": results / "train/out.bin"}
    shard = results / "segment/a/1-of-1"
    run_stage("segment", shard, write, inputs=inputs, parameters={"model": "results/train"})
    text = explain(shard / "out.bin")
    assert f"results/train, results/train/out.bin (sha256 {sha256(inputs['model'])})" in text
    assert "tile/other" not in text


@pytest.mark.parametrize(
    ("name", "message"), [("nowhere", "does not exist"), ("loose.txt", "no stage wrote it")]
)
def test_a_file_that_no_stage_wrote_is_an_error(tmp_path, name, message):
    (tmp_path / "loose.txt").touch()
    with pytest.raises(UsageError, match=message):
        explain(tmp_path / name)


def test_the_command_prints_the_explanation(folder, monkeypatch):
    monkeypatch.chdir(folder)
    ended = CliRunner().invoke(cli, ["explain", "results/tile/case-1"])
    assert ended.exit_code == 0
    assert ended.stdout.startswith("results/tile/case-1 was written by tile\n")
    assert "lds-path tile 'my slides/slide.tif' results/tile/case-1 --mpp 1.0" in ended.stdout
