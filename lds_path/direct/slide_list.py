"""The slides that a run without a sheet was given, as a sheet in its results folder."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from lds_path.errors import UsageError, did_you_mean
from lds_path.provenance.complete_file import complete_file
from lds_path.provenance.fingerprint import is_store
from lds_path.remote.address import RemotePath
from lds_path.run.sheet import COLUMNS, read_rows
from lds_path.slides.companions import find_local_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from lds_path.remote.address import SlidePath

SHEET_NAME = "slides.tsv"
SHEET_SUFFIXES = (".tsv", ".csv", ".txt")
SLIDE_SUFFIXES = {
    ".svs", ".ndpi", ".mrxs", ".scn", ".bif", ".czi", ".vms", ".vmu", ".svslide", ".dcm", ".tif",
    ".tiff", ".btf", ".tf2", ".tf8",
}  # fmt: skip
"""Files in a folder that are taken for slides."""
STORE_SUFFIX = ".zarr"
"""A folder of this name is taken for a slide if it is a Zarr store."""
PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg"}
"""Files that are slides only where nothing else is: they lie beside slides as their previews."""
ID_LENGTH = 80


def is_sheet(source: Path) -> bool:
    """Return whether a path names a sample sheet, by the end of its name."""
    return source.suffix.lower() in SHEET_SUFFIXES


def find_slides(source: SlidePath) -> Sequence[SlidePath]:
    """Return the slides that a path leads to: itself, or those in a folder, sorted.

    In a folder the names decide; an OME-Zarr is a slide, and not a folder of slides. Files that belong to another slide are left out, of DICOM all
    instances of a series but the first. If there are none, the folders in it are looked at.

    Raises
    ------
    UsageError
        If there is none.
    """
    if isinstance(source, RemotePath) or source.is_file() or is_store(source):
        return [source]
    if not source.is_dir():
        beside = source.parent.iterdir() if source.parent.is_dir() else ()
        near = did_you_mean(source.name, (path.name for path in beside))
        hint = f"did you mean '{near}'? Or " if near else ""
        raise UsageError(
            f"{source} does not exist; {hint}name a slide, a folder of slides or a sheet"
        )
    for suffixes in (SLIDE_SUFFIXES, PICTURE_SUFFIXES):
        for pattern in ("*", "*/*"):
            files = sorted(path for path in source.glob(pattern) if _is_slide(path, suffixes))
            if files:
                return _without_companions(files)
    known = ", ".join(sorted(s[1:] for s in (*SLIDE_SUFFIXES, *PICTURE_SUFFIXES, STORE_SUFFIX)))
    raise UsageError(
        f"{source} holds no slide; expected names that end with {known}, or name them in a sheet"
    )


def list_slides(
    slides: Iterable[SlidePath], sheet: Path, mpp: float | None
) -> tuple[str, list[str]]:
    """Return the text of a sheet with slides, and their ids.

    Slides that the sheet lists already keep their ids and cells, of a file with several images all of
    its rows, and those that are not among `slides` stay in it.

    Parameters
    ----------
    slides
        Their paths.
    sheet
        Path of the sheet, which may be missing.
    mpp
        Their microns per pixel, where they do not state it.

    Raises
    ------
    UsageError
        If the sheet cannot be read, or a path cannot be in it.
    """
    rows = read_rows(sheet) if sheet.exists() else []
    taken = {row["slide"].lower() for row in rows}
    by_path: dict[str, list[dict[str, str]]] = {}
    for row in rows:
        by_path.setdefault(row["path"], []).append(row)
    ids = []
    for slide in slides:
        path = _path_cell(slide)
        if path not in by_path:
            by_path[path] = [{"slide": make_id(slide, taken), "path": path}]
            rows += by_path[path]
            taken.add(rows[-1]["slide"].lower())
        for row in by_path[path]:
            if mpp is not None:
                row["mpp"] = str(mpp)
            ids.append(row["slide"])
    filled = {name for row in rows for name, cell in row.items() if cell}
    columns = [name for name in dict.fromkeys((*COLUMNS, *sorted(filled))) if name in filled]
    lines = ["\t".join(row.get(name, "") for name in columns) for row in rows]
    return "\n".join(["\t".join(columns), *lines]) + "\n", ids


def _path_cell(slide: SlidePath) -> str:
    """Return the path of a slide as a sheet holds it.

    Raises
    ------
    UsageError
        If no sheet can hold it.
    """
    if isinstance(slide, RemotePath):
        return str(slide)
    path = os.path.abspath(slide)  # noqa: PTH100 - a link stays one
    if path != path.strip() or re.search(r"[\t\r\n\0]", path):
        raise UsageError(f"{path!r} holds a tab, a line break or a blank at its end; rename it")
    return path


def make_id(slide: SlidePath, taken: set[str]) -> str:
    """Return an id for a slide: the name of its file as far as ids may hold it.

    Parameters
    ----------
    slide
        Its path.
    taken
        Ids that it must not have, in small letters.
    """
    stem = slide.stem.removesuffix(".ome")
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._")[:ID_LENGTH] or "slide"
    number, chosen = 1, name
    while chosen.lower() in taken:
        number += 1
        chosen = f"{name}-{number}"
    return chosen


def write_if_other(path: Path, text: str) -> None:
    """Write a text unless the file holds it: the time of the sheet says when it changed."""
    if path.is_file() and path.read_bytes() == text.encode():
        return
    with complete_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


def _is_slide(path: Path, suffixes: set[str]) -> bool:
    """Return whether a name is that of a slide; what lies within a store is not one."""
    suffix = path.suffix.lower()
    if path.name.startswith(".") or path.parent.suffix.lower() == STORE_SUFFIX:
        return False
    if suffix == STORE_SUFFIX:
        return suffixes == SLIDE_SUFFIXES and is_store(path)
    return suffix in suffixes and path.is_file()


def _without_companions(files: list[Path]) -> list[Path]:
    """Return the files that are not a part of one of the others."""
    parts: set[Path] = set()
    slides = []
    for file in files:
        if file in parts:
            continue
        parts.update(set(find_local_files(file)) - {file})
        slides.append(file)
    return [slide for slide in slides if slide not in parts]
