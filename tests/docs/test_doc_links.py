"""Links of the pages lead to files and headings that exist, in a clone as in the site."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

import pytest
from page_blocks import PAGES, read_page
from snakemake_run import REPOSITORY

LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors_of(page: str) -> set[str]:
    """Return the anchors of the headings that a forge and the site give the same name."""
    text = re.sub(r"^ *```.*?^ *```$", "", read_page(page), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {on_forge(heading) for heading in headings if on_forge(heading) == in_site(heading)}


def on_forge(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def in_site(heading: str) -> str:
    """As Python-Markdown does it."""
    ascii_only = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    clean = re.sub(r"[^\w\s-]", "", ascii_only).strip().lower()
    return re.sub(r"[-\s]+", "-", clean)


def broken_links(page: str, text: str) -> list[str]:
    broken = []
    for link in LINK.findall(text):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = os.path.normpath(Path(page).parent / path) if path else page
        if not (REPOSITORY / target).exists() or (anchor and anchor not in anchors_of(target)):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page):
    assert broken_links(page, read_page(page)) == []


def test_a_broken_link_or_anchor_is_noticed():
    good = "[a](docs/python.md#napari) [b](docs/demo.jpg) [c](https://example.org)"
    assert broken_links("README.md", good) == []
    bad = "[a](docs/python.md#napary) [b](docs/demo.png) [c](#nowhere) [d](http://example.org)"
    assert len(broken_links("README.md", bad)) == 4


def test_every_page_is_in_the_menu_of_the_site():
    menu = set(re.findall(r": (\S+\.md)$", (REPOSITORY / "mkdocs.yml").read_text(), re.MULTILINE))
    assert {f"docs/{name}" for name in menu} == set(PAGES) - {"README.md"}


def test_the_readme_begins_with_what_a_visitor_asks():
    """Picture, install line, time, hardware, GPU, size, system and whom it is not for: one screen."""
    head = read_page("README.md").split("\n## ")[0]
    assert len(head.splitlines()) < 35
    assert "](docs/report.jpg)" in head
    assert "pip install lds_path-" in head
    rows = re.findall(r"^\| ([\w ]+) \|", head, re.MULTILINE)
    assert rows == ["time", "hardware", "GPU", "size", "system", "not for"]
