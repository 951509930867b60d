"""The sample sheet: one row a slide."""

from __future__ import annotations

import math
import os
import re
from collections import Counter
from typing import TYPE_CHECKING

import pandas as pd

from lds_path.errors import UsageError, did_you_mean
from lds_path.remote.address import is_address, parse_address
from lds_path.run.sheet_file import read_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COLUMNS = (
    "slide", "path", "scene", "mpp", "labels", "roi", "tissue", "tissue_threshold", "split", "patient",
    "batch", "stain",
)  # fmt: skip
FILES = ("path", "labels", "roi", "tissue")
STAIN = "stain"
"""Column that names the staining, and is shown as one of the user's own is."""
THRESHOLD = "tissue_threshold"
NUMBERS = {
    "mpp": "microns per pixel, such as 0.25",
    THRESHOLD: "the least optical density of tissue, such as 0.01",
}
"""Columns of numbers, and what to give there."""
REQUIRED = ("slide", "path")
SPLITS = ("train", "tune", "test")
ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Ids name folders and files, and mean nothing else in a shell, an address or a path."""

REMARK = "# "
"""How a line begins that lists no slide: no id does."""
REPEATED = re.compile(r"\.\d+$")
"""What pandas adds to the name of a column that comes twice."""


def read_sheet(path: Path, *, base: Path | None = None) -> pd.DataFrame:
    """Return the sheet, indexed by slide id, with every known column, and then those of the user's own.

    A line whose id begins with `# ` is a remark. Empty cells are empty strings, except in `mpp` and
    `tissue_threshold`, which are floats and NaN where empty. The paths in `path`, `labels`, `roi` and `tissue` are absolute; in
    `path` there may be addresses.

    Parameters
    ----------
    path
        Table with a header; tabs, semicolons or commas separate its columns.
    base
        Folder that relative paths start from; the sheet's own folder when not given.

    Raises
    ------
    UsageError
        If the table cannot be read, a column, an id or a value is invalid, or a patient or a file
        is in two splits.
    """
    sheet, separator = read_table(path)
    sheet.columns = pd.Index(_name_columns(path, list(sheet.columns)))
    sheet = sheet[~sheet["slide"].str.startswith(REMARK)]
    if sheet.empty:
        raise UsageError(f"{path} lists no slide; add one line a slide below the header")
    own = [name for name in sheet.columns if name not in COLUMNS]
    sheet = sheet.reindex(columns=[*COLUMNS, *own], fill_value="")
    for number, row in zip(sheet.index, sheet[list(COLUMNS)].itertuples(index=False), strict=True):
        files = "\t".join(str(getattr(row, column)) for column in FILES)
        line = f"{path}, line {number + 2}"
        _check_row(line, str(row.slide), str(row.path), files, str(row.split))
    _check_duplicates(path, sheet["slide"])
    _check_splits(path, sheet)
    for column in NUMBERS:
        sheet[column] = _read_numbers(path, sheet[column], separator)
    folder = (base or path.parent).resolve()
    for column in FILES:
        sheet[column] = [_absolute(cell, folder) for cell in sheet[column]]
    return sheet.set_index("slide", drop=False)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the cells of a sheet by their columns, as text, one row a slide; raise as `read_sheet`."""
    table = read_sheet(path)
    for column in NUMBERS:
        table[column] = ["" if math.isnan(cell) else str(cell) for cell in table[column]]
    return [
        {str(name): str(cell) for name, cell in row.items()} for row in table.to_dict("records")
    ]


def _absolute(cell: str, folder: Path) -> str:
    """Return an absolute path, or an address as manifests have it."""
    if is_address(cell):
        return str(parse_address(cell))
    return str(folder / cell) if cell else ""


def _name_columns(path: Path, columns: list[str]) -> list[str]:
    """Return the columns of a table, those that are known under their names.

    Capitals and blanks do not matter. A name like that of a known column, of which the sheet has
    none, is a mistake; any other is a column of the user's own.
    """
    first = [REPEATED.sub("", column) for column in columns]
    names = [column.lower() if column.lower() in COLUMNS else column for column in first]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{path} has the column '{name}' twice; name each column once")
    missing = [name for name in COLUMNS if name not in names]
    meant = [name for name in missing if name != STAIN]  # a column `strain` may be meant
    for name in names:
        near = "" if name in COLUMNS else did_you_mean(name, meant)
        if near and _is_misspelt(name.lower(), near):
            raise UsageError(
                f"{path} has the unknown column '{name}'; did you mean '{near}'? Rename it, or give a"
                " column of your own a name that is less like it"
            )
    for name in REQUIRED:
        if name in missing:
            raise UsageError(
                f"{path} has no column '{name}' (it has {', '.join(names)}); it needs a header line,"
                " and tabs, semicolons or commas between the columns"
            )
    return names


def _is_misspelt(name: str, known: str) -> bool:
    """Return whether two names differ by the order of letters and one letter, not as words do."""
    letters, others = Counter(name), Counter(known)
    return (letters - others).total() <= 1 >= (others - letters).total()


def _check_row(line: str, slide: str, file: str, files: str, split: str) -> None:
    if not ID_PATTERN.fullmatch(slide):
        raise UsageError(
            f"{line}: the slide id '{slide}' names files and folders, so it may hold only letters,"
            " digits, '.', '_' and '-', at most 100, and starts with a letter or digit; rename it"
            " (the path may hold anything)"
        )
    if not file:
        raise UsageError(f"{line}: slide '{slide}' has no path; fill the column 'path'")
    _check_addresses(line, slide, files.split("\t"))
    if "\0" in files:
        raise UsageError(f"{line}: a path of slide '{slide}' has a null character; correct it")
    if split and split not in SPLITS:
        near = did_you_mean(split, SPLITS)
        hint = f"did you mean '{near}'?" if near else f"use one of {', '.join(SPLITS)}"
        raise UsageError(f"{line}: split {split!r} is unknown; {hint}")


def _check_addresses(line: str, slide: str, files: Sequence[str]) -> None:
    """Check that only slides have addresses, and none that holds a password or a signature."""
    for column, cell in zip(FILES, files, strict=True):
        if not is_address(cell):
            continue
        if column != "path":
            raise UsageError(
                f"{line}: the {column} of slide '{slide}' is an address; only slides are read from a"
                " server: copy the file to a disk"
            )
        try:
            parse_address(cell)
        except UsageError as error:
            raise UsageError(f"{line}: slide '{slide}': {error}") from None


def _check_duplicates(path: Path, slides: pd.Series[str]) -> None:
    # Two ids that differ only in case would share a folder on some file systems.
    folded = slides.str.lower()
    if folded.duplicated().any():
        repeated = slides[folded.duplicated()].iloc[0]
        first = slides[folded == repeated.lower()].iloc[0]
        if first == repeated:
            raise UsageError(
                f"{path} lists the slide id '{repeated}' twice; give each slide its own id"
            )
        raise UsageError(
            f"{path} lists the slide ids '{first}' and '{repeated}', which differ only in capitals and"
            " would share a folder on some disks; rename one of them"
        )


def _check_splits(path: Path, sheet: pd.DataFrame) -> None:
    """Check that no patient and no file is in two splits: its scores would not be those of others.

    Two `roi`, or two scenes, of one file may be.
    """
    chosen = sheet[sheet["split"] != ""]
    patients = chosen[chosen["patient"] != ""]
    files = chosen["path"].map(os.path.normpath)
    for what, rows, key in (
        ("patient", patients, patients["patient"].str.casefold()),
        ("file", chosen, [files, chosen["roi"], chosen["scene"]]),
    ):
        for _, same in rows.groupby(key, sort=False):
            by_split = same.groupby("split", sort=False)["slide"].agg(", ".join)
            if len(by_split) > 1:
                name = same["patient" if what == "patient" else "path"].iloc[0]
                groups = " and ".join(f"{split} ({slides})" for split, slides in by_split.items())
                raise UsageError(
                    f"{path}: the {what} '{name}' is in the splits {groups}; put all slides of a"
                    f" {what} into one split"
                )


def _read_numbers(path: Path, cells: pd.Series[str], separator: str) -> pd.Series[float]:
    if separator == ";":  # as spreadsheets write where a comma marks the decimals
        cells = cells.str.replace(",", ".")
    numbers = pd.to_numeric(cells.where(cells != ""), errors="coerce")
    for cell, number in zip(cells, numbers, strict=True):
        if cell and not math.isfinite(number):
            raise UsageError(
                f"{path}: the {cells.name} '{cell}' is not a number; give {NUMBERS[str(cells.name)]}"
            )
    return numbers
