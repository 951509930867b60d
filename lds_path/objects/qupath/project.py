"""A project of QuPath that lists the slides of the cohort, with their scripts and objects."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lds_path.objects.qupath.scripts import CLASSES_NAME, write_cohort_scripts
from lds_path.provenance.complete_file import complete_file, place_file
from lds_path.remote.address import is_address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lds_path.objects.qupath.scripts import ScriptSlide

PROJECT_NAME = "project.qpproj"
VERSION = "0.6.0"
"""Of the oldest QuPath that reads the project and runs its scripts."""


def write_project(home: Path, slides: Sequence[ScriptSlide]) -> None:
    """Write the project of a cohort, or renew the scripts and objects of one that is in use.

    QuPath makes the folder `data` as soon as somebody opens a slide. From then on the list of
    slides and everything that QuPath writes is left as it is.

    Parameters
    ----------
    home
        Folder of the project, in the folder of all results.
    slides
        Those that have objects.
    """
    write_cohort_scripts(home / "scripts", slides)
    classes = home / "scripts" / CLASSES_NAME
    (home / "objects").mkdir(exist_ok=True)
    for slide in slides:
        name = f"{slide.slide}.geojson.gz"
        with complete_file(home / "objects" / name) as partial:
            partial.unlink(missing_ok=True)
            place_file(home.parent / "export" / slide.slide / name, partial)
    if (home / "data").exists():
        classes.unlink()
        return
    (home / "classifiers").mkdir(exist_ok=True)
    classes.replace(home / "classifiers" / CLASSES_NAME)
    text = json.dumps(describe_project(slides), indent=2, ensure_ascii=False) + "\n"
    with complete_file(home / PROJECT_NAME) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def describe_project(slides: Sequence[ScriptSlide]) -> dict[str, Any]:
    """Return the content of the file of a project.

    The slides have absolute addresses, and the project claims to lie where their folders meet:
    QuPath looks for a slide that is missing from the project's folder on, by the path that it had
    from that address, and opens the project without a question if it finds all of them there.
    """
    slides = [slide for slide in slides if slide.path]
    local = [slide for slide in slides if not is_address(slide.path)]
    return {
        "version": VERSION,
        "createTimestamp": 0,  # the same results give the same file; QuPath shows neither
        "modifyTimestamp": 0,
        **({"uri": (_meeting_place(local) / PROJECT_NAME).as_uri()} if local else {}),
        "lastID": len(slides),
        "images": [_describe_image(number, slide) for number, slide in enumerate(slides, start=1)],
    }


def _describe_image(number: int, slide: ScriptSlide) -> dict[str, Any]:
    server = {"builderType": "uri", "uri": _uri(slide.path), "args": slide.arguments}
    metadata = {"stain": slide.stain} if slide.stain else {}
    return {
        "serverBuilder": server,  # without a provider, so that QuPath takes the best it has
        "entryID": number,
        "imageName": slide.slide,
        "metadata": metadata,
    }


def _uri(path: str) -> str:
    """Return the address of a slide; QuPath needs an extension, or a copy, for one on a server."""
    if not is_address(path):
        return Path(path).as_uri()
    return quote(path, safe=":/%" if path.startswith("http") else ":/")


def _meeting_place(slides: Sequence[ScriptSlide]) -> Path:
    """Return the deepest folder that holds all slides."""
    folders = [str(Path(slide.path).parent) for slide in slides]
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:  # on several drives
        return Path(folders[0])
