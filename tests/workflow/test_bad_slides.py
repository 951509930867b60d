"""Broken and odd slides: each ends with a result or a reason, and takes nothing else down."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from corpus import all_cases
from corpus_recipes import make_source, write_text, write_tiff
from corpus_runner import CASES, find_flaws, run_cases

from lds_path.cli import main

REPOSITORY = Path(__file__).parent.parent.parent
PARTS = 4


def test_the_corpus_is_large_and_its_names_are_unique():
    assert len(CASES) == len(all_cases()) >= 60


@pytest.mark.parametrize("part", range(PARTS))
def test_a_bad_slide_ends_with_a_result_or_a_reason(tmp_path, part):
    names = list(CASES)[part::PARTS]
    outcomes = run_cases(names, tmp_path)
    assert [outcome.name for outcome in outcomes] == names
    assert [flaw for outcome in outcomes for flaw in find_flaws(outcome)] == []


# --- the command line ------------------------------------------------------------------------


def run(folder, *arguments):
    """Run the command line in a folder, as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "lds_path.cli", *map(os.fspath, arguments)],
        cwd=folder, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, capture_output=True,
        text=True, errors="replace", check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Slides, a file, a foreign folder, and a finished tile and detect stage."""
    folder = tmp_path_factory.mktemp("command-line")
    source = make_source(None)
    write_tiff(folder / "slide.tif", source)
    write_text(folder / "text.svs", source, "not a slide")
    (folder / "foreign").mkdir()
    (folder / "foreign" / "notes.txt").touch()
    assert run(folder, "tile", "slide.tif", "tiled").returncode == 0
    assert run(folder, "detect", "tiled", "detected").returncode == 0
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tile", "missing.svs", "out"], "missing.svs cannot be opened"),
        (["tile", "text.svs", "out"], "text.svs is not a slide"),
        (["tile", "slide.tif", "out", "--slide-mpp", "nan"], "slide.tif has nan microns"),
        (["detect", "tiled", "out", "--roi", "missing.geojson"], "missing.geojson does not exist"),
        (["detect", "tiled", "out", "--roi", "foreign"], "foreign cannot be read"),
    ],
)
def test_a_quarantined_slide_is_one_line_and_no_failure(folder, arguments, message):
    ended = run(folder, *arguments)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("\n") == 1
    assert message in ended.stdout
    assert json.loads((folder / "out" / "manifest.json").read_text())["status"] == "quarantined"
    strict = run(folder, *arguments, "--strict")
    assert strict.returncode == 1
    assert strict.stderr.startswith("Error: ")
    assert strict.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tile", "slide.tif", "foreign"], "not written by lds-path"),
        (["tile", "slide.tif", "text.svs"], "cannot be made"),
        (["tile", "slide.tif", "text.svs/out"], "cannot be made"),
        (["tile", "slide.tif", "out", "--mpp", "0"], "mpp is 0"),
        (["detect", "foreign", "out"], "has no manifest"),
        (["detect", "nowhere", "out"], "has no manifest"),
        (["detect", "text.svs", "out"], "has no manifest"),
        (["detect", "detected", "out"], "written by the stage detect"),
        (["detect", "tiled", "tiled"], "holds the input"),
        (["detect", "tiled", "out", "--lattice", "0"], "lattice is 0"),
        (["detect", "tiled", "out", "--tissue-mpp", "inf"], "tissue_mpp is inf"),
        (["detect", "tiled", "out", "--min-tissue-um2", "nan"], "min_tissue_um2 is nan"),
    ],
)
def test_a_mistake_of_the_user_is_one_line_and_a_failure(
    folder, capsys, monkeypatch, arguments, message
):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["lds-path", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert message in str(ended.value)
    assert str(ended.value).startswith("Error: ")
    assert "\n" not in str(ended.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("arguments", [["tile"], ["tile", "a", "b", "--mpp", "much"], ["til"]])
def test_a_wrong_command_shows_its_usage(folder, arguments):
    ended = run(folder, *arguments)
    assert ended.returncode == 2
    assert "Usage:" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_name_that_is_no_unicode_can_be_reported(folder):
    name = os.fsdecode(b"a\xff.svs")
    (folder / name).write_text("not a slide")
    ended = run(folder, "tile", name, "out")
    assert ended.returncode == 0, ended.stderr
    assert "not a slide" in ended.stdout
