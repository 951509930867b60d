"""The scripts of the viewer, beside the pages that load them."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = "viewer"
NAMES = (
    "openseadragon.min.js", "openseadragon-LICENSE.txt", "zoom.js", "zoom.css", "page.js",
    "reviews.js", "compare.js",
)  # fmt: skip
SERVED_NAME = "served.js"
"""What `lds-path view` replaces: by it the pages know that they are served."""
NOT_SERVED = "// Empty here; lds-path view puts the address of its tiles here.\n"


def write_scripts(report: Path) -> None:
    """Write the scripts into the folder of a report."""
    folder = report / FOLDER
    folder.mkdir()
    with as_file(files("lds_path.reporting") / "templates" / FOLDER) as source:
        for name in NAMES:
            (folder / name).write_bytes((source / name).read_bytes())
    (folder / SERVED_NAME).write_text(NOT_SERVED, encoding="utf-8", newline="\n")
