"""Commands of the pages run as the pages have them; those of the demo are in `test_painted_cohort.py`."""

from __future__ import annotations

import re

import pytest
from annotated_slides import annotate_slide, tune_on
from page_blocks import blocks_of, run_script, script_with

from lds_path.options.slides import DemoOptions
from lds_path.stages.demo import SLIDE_NAME, demo

pytestmark = pytest.mark.slow


def test_a_slide_of_one_s_own_needs_no_sheet(tmp_path):
    demo(tmp_path / "demo", options=DemoOptions(width=700, height=600))
    (tmp_path / "demo" / SLIDE_NAME).rename(tmp_path / "scan.svs")
    printed = run_script(
        script_with("docs/first-ten-minutes.md", "lds-path run scan.svs"), tmp_path
    )
    assert "colon-epithelium" in printed
    assert (tmp_path / "scan-results/report/index.html").is_file()


def test_annotations_become_a_training(tmp_path):
    """Sheet, configuration and dry run as the page has them."""
    run_script("lds-path init .", tmp_path)
    annotate_slide(tmp_path, "a", seed=1)
    annotate_slide(tmp_path, "b", seed=2)
    page = "docs/train.md"
    run_script(script_with(page, "printf"), tmp_path)
    tune_on(tmp_path / "slides.tsv", "b")
    (tmp_path / "mine.yaml").write_text(blocks_of(page, "yaml")[0])
    (dry_run, _) = script_with(page, "snakemake -n train").splitlines()
    printed = run_script(dry_run, tmp_path)
    assert re.search(r"^train +1$", printed, re.MULTILINE)
    assert re.search(r"^tile +2$", printed, re.MULTILINE)
