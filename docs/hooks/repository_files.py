"""Puts into the site what pages link to beside `docs/`, such as `../profiles/slurm/profile.yaml`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs.structure.files import File

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

REPOSITORY = Path(__file__).parents[2]
FOLDER = "files"
LINK = re.compile(r"\[([^\]]*)\]\(\.\./([^)#\s]+)\)")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Return the files of the site and those that its pages link to."""
    linked: set[str] = set()
    for page in files.documentation_pages():
        linked |= {path for _, path in LINK.findall(page.content_string)}
    for path in sorted(linked):
        if (REPOSITORY / path).is_file():
            source = str(REPOSITORY / path)
            files.append(File.generated(config, f"{FOLDER}/{path}", abs_src_path=source))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """Return the page with such links to where the site has the files; of a folder only the name stays."""
    return LINK.sub(_in_site, markdown)


def _in_site(link: re.Match[str]) -> str:
    text, path = link.groups()
    if (REPOSITORY / path).is_dir():
        return text
    # A file that is missing keeps its link, which fails the build.
    return f"[{text}]({FOLDER}/{path})" if (REPOSITORY / path).is_file() else link[0]
