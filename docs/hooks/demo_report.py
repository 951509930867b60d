"""Adds a report to the site, for the page `gallery.md`: `make docs REPORT=results/report`.

Only where it is named, so that nobody publishes the slides that happen to lie in a clone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

REPORT = os.environ.get("REPORT", "")
FOLDER = "demo-report"
MARK = "<!-- demo report -->"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Return the files of the site and those of the report."""
    report = Path(REPORT).resolve()
    if REPORT and not (report / "index.html").is_file():
        raise PluginError(f"REPORT is {REPORT}, but there is no {report / 'index.html'}")
    for path in sorted(report.rglob("*")) if REPORT else ():
        if path.is_file():
            uri = f"{FOLDER}/{path.relative_to(report).as_posix()}"
            files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Return the gallery with a link to the report."""
    if page.file.src_uri != "gallery.md" or not REPORT:
        return markdown
    link = f"[The whole report, to click through]({FOLDER}/index.html)."
    return markdown.replace(MARK, link)
