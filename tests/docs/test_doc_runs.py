"""The commands of the first ten minutes, and those on their results, run as the pages have them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from annotated_slides import annotate_slide, tune_on
from page_blocks import blocks_of, script_with

from lds_path.options.slides import DemoOptions
from lds_path.stages.demo import SLIDE_NAME, demo

pytestmark = pytest.mark.slow

PAGE = "docs/first-ten-minutes.md"


def run(script: str, folder: Path) -> str:
    """Run a script of a page and return what it prints."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-euc", script],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """The working folder of the page, after its demo."""
    folder = tmp_path_factory.mktemp("ten minutes")
    printed = run(script_with(PAGE, "lds-path init"), folder)
    assert "2 slides: 2 done (2 pass)." in printed
    assert "results/report/index.html: the cohort and each slide" in printed
    return folder / "my-study"


def test_the_result_opens_in_python(study, monkeypatch):
    monkeypatch.chdir(study)
    (block,) = blocks_of(PAGE, "python")
    names: dict[str, object] = {}
    exec(block, names)  # noqa: S102 - our own page
    assert names["result"].name == "painted-101"


def test_a_slide_of_one_s_own_needs_no_sheet(tmp_path):
    demo(tmp_path / "demo", options=DemoOptions(width=700, height=600))
    (tmp_path / "demo" / SLIDE_NAME).rename(tmp_path / "scan.svs")
    printed = run(script_with(PAGE, "lds-path run scan.svs"), tmp_path)
    assert "colon-epithelium" in printed
    assert (tmp_path / "scan-results/report/index.html").is_file()


@pytest.mark.parametrize(
    ("page", "words", "expected"),
    [
        ("docs/trust.md", "lds-path explain", "results/ro-crate-metadata.json"),
        ("docs/slides.md", "--what-if", "with equal lattices"),
        ("docs/suggest.md", "lds-path suggest", "suggested"),
    ],
)
def test_commands_on_a_result_run(study, page, words, expected):
    lines = script_with(page, words).replace("case-1", "painted-101").splitlines()
    of_the_package = [line for line in lines if line.startswith("lds-path ")]
    script = "\n".join(of_the_package).replace(" --sheet slides.tsv", "")  # it lists no slide yet
    assert expected in run(script, study)


def test_annotations_become_a_training(tmp_path):
    """Sheet, configuration and dry run as the page has them."""
    run("lds-path init .", tmp_path)
    annotate_slide(tmp_path, "a", seed=1)
    annotate_slide(tmp_path, "b", seed=2)
    page = "docs/train.md"
    run(script_with(page, "printf"), tmp_path)
    tune_on(tmp_path / "slides.tsv", "b")
    (tmp_path / "mine.yaml").write_text(blocks_of(page, "yaml")[0])
    (dry_run, _) = script_with(page, "snakemake -n train").splitlines()
    printed = run(dry_run, tmp_path)
    assert re.search(r"^train +1$", printed, re.MULTILINE)
    assert re.search(r"^tile +2$", printed, re.MULTILINE)
