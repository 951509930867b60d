"""The site: built without a warning, complete without a network, with a reference of every option."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import unescape

import pytest
from browser import find, find_all
from selenium.webdriver.support.ui import WebDriverWait
from snakemake_run import REPOSITORY

from lds_path.cli import cli
from lds_path.options.schema import SECTIONS, describe_section
from lds_path.quality.metrics.thresholds import Thresholds

pytest.importorskip("material", reason="mkdocs-material is not installed")


def build(folder, report=""):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "REPORT": str(report), "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(
        command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    done = build(folder)
    assert done.returncode == 0, done.stderr
    return folder


def text_of(page):
    return unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_a_page_has_every_key_option_and_command(site):
    text = text_of(site / "options.html")
    for section in SECTIONS:
        for option in describe_section(section):
            assert f"{section}: {option.name}" in text
    for command in (command for command in cli.commands.values() if not command.hidden):
        assert f"lds-path {command.name} " in text
        for option in command.params:
            if not getattr(option, "hidden", False):  # as former names are
                assert all(flag in text for flag in option.opts if flag.startswith("-"))


def test_the_limits_of_the_verdict_are_those_of_the_code(site):
    text = text_of(site / "trust.html")
    for name in vars(Thresholds()):
        assert name.partition("_")[2] in text
    assert "colon-epithelium" in text


def test_files_of_the_repository_that_pages_link_to_are_in_the_site(site):
    assert (site / "files/profiles/slurm/profile.yaml").is_file()
    assert 'href="files/profiles/slurm/profile.yaml"' in (site / "clusters.html").read_text()


def test_pages_load_nothing_from_elsewhere(site):
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|link|iframe)\b[^>]*(?:src|href)="([^"]+)"', text)
        assert loaded, page.name
        assert [url for url in loaded if re.match("(https?:)?//", url)] == [], page.name


def test_the_site_is_searched_from_disk(site, chromium):
    """`chromium` asks nobody but the disk."""
    chromium.get((site / "index.html").as_uri())
    find(chromium, ".md-search__input").send_keys("tolerance_um")
    wait = WebDriverWait(chromium, 20)
    wait.until(lambda driver: find_all(driver, ".md-search-result__item"))
    found = find_all(chromium, ".md-search-result__link")
    assert any("options.html" in link.get_attribute("href") for link in found)


def test_a_report_that_is_named_is_linked_from_the_gallery(site, tmp_path):
    assert "demo-report" not in (site / "gallery.html").read_text()
    report = tmp_path / "report"
    (report / "slides").mkdir(parents=True)
    (report / "index.html").write_text("cohort")
    (report / "slides/a.html").write_text("slide")
    assert build(tmp_path / "site", report).returncode == 0
    assert 'href="demo-report/index.html"' in (tmp_path / "site/gallery.html").read_text()
    assert (tmp_path / "site/demo-report/slides/a.html").read_text() == "slide"


def test_a_report_that_is_not_there_is_named(tmp_path):
    done = build(tmp_path / "site", tmp_path / "nowhere")
    assert done.returncode != 0
    assert "nowhere/index.html" in done.stderr
