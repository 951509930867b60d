"""The sample sheet: one row a slide."""

from __future__ import annotations

import csv
import math
import re
from typing import TYPE_CHECKING

import pandas as pd

from lds_path.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

COLUMNS = ("slide", "path", "mpp", "labels", "roi", "split", "patient", "batch")
REQUIRED = ("slide", "path")
SPLITS = ("train", "tune", "test")
ID_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""Ids name folders and files, and mean nothing else in a shell, an address or a path."""
QUOTED = re.compile(r'"(?:[^"]|"")*"')
"""A cell as spreadsheet programs write it if it holds a comma or a quote."""
UNNAMED = re.compile(r"Unnamed: \d+")
"""What pandas calls a column without a name."""


def read_sheet(path: Path, *, base: Path | None = None) -> pd.DataFrame:
    """Return the sheet, indexed by slide id, with every column present.

    Empty cells are empty strings, except `mpp`, which is a float and NaN where empty. The paths
    in `path`, `labels` and `roi` are absolute.

    Parameters
    ----------
    path
        Tab-separated table with a header.
    base
        Folder that relative paths start from; the sheet's own folder when not given.

    Raises
    ------
    UsageError
        If the table cannot be read, a column, an id or a value is invalid, or a patient has slides
        in two splits.
    """
    sheet = _read_table(path)
    _check_columns(path, list(sheet.columns))
    sheet = sheet.reindex(columns=list(COLUMNS), fill_value="")
    for number, row in zip(sheet.index, sheet.itertuples(index=False), strict=True):
        files = f"{row.path}\t{row.labels}\t{row.roi}"
        line = f"{path}, line {number + 2}"
        _check_row(line, str(row.slide), str(row.path), files, str(row.split))
    _check_duplicates(path, sheet["slide"])
    _check_patients(path, sheet)
    sheet["mpp"] = _read_mpp(path, sheet["mpp"])
    folder = (base or path.parent).resolve()
    for column in ("path", "labels", "roi"):
        sheet[column] = [str(folder / cell) if cell else "" for cell in sheet[column]]
    return sheet.set_index("slide", drop=False)


def _read_table(path: Path) -> pd.DataFrame:
    try:
        sheet = pd.read_csv(
            path,
            sep="\t",
            dtype=str,
            keep_default_na=False,
            quoting=csv.QUOTE_NONE,
            encoding="utf-8-sig",
        )
    except FileNotFoundError:
        raise UsageError(
            f"{path} does not exist; set `slides` in config.yaml to your sample sheet"
        ) from None
    except UnicodeDecodeError:
        raise UsageError(
            f"{path} is not a tab-separated table in UTF-8; spreadsheet programs offer this encoding"
            " when they save as text ('Unicode text' is UTF-16, plain text often Windows-1252); save"
            " it as UTF-8"
        ) from None
    except (ValueError, OSError) as error:
        raise UsageError(
            f"{path} is not a tab-separated table ({' '.join(str(error).split())});"
            " it needs a header line with the columns slide and path"
        ) from None
    if not isinstance(sheet.index, pd.RangeIndex):
        raise UsageError(f"{path} has a line with more cells than the header; remove stray tabs")
    sheet = _without_empty_cells(path, sheet.fillna("").map(_cell))
    if sheet.empty:
        raise UsageError(f"{path} lists no slide; add one line a slide below the header")
    return sheet


def _cell(text: str) -> str:
    """Return a cell without blanks around it, and without the quotes of a spreadsheet program."""
    text = text.strip()
    return text[1:-1].replace('""', '"') if QUOTED.fullmatch(text) else text


def _without_empty_cells(path: Path, sheet: pd.DataFrame) -> pd.DataFrame:
    """Return a table without the empty rows and columns that spreadsheet programs leave."""
    for number, column in enumerate(sheet.columns, start=1):
        if UNNAMED.fullmatch(column) and (sheet[column] != "").any():
            raise UsageError(
                f"{path} has cells in column {number}, which has no name; name it, or clear them"
            )
    named = [column for column in sheet.columns if not UNNAMED.fullmatch(column)]
    return sheet.loc[(sheet != "").any(axis=1), named]


def _check_columns(path: Path, columns: list[str]) -> None:
    known = ", ".join(COLUMNS)
    for column in columns:
        if column not in COLUMNS:
            raise UsageError(f"{path} has the unknown column '{column}'; the columns are {known}")
    for column in REQUIRED:
        if column not in columns:
            raise UsageError(f"{path} has no column '{column}'; columns are separated by tabs")


def _check_row(line: str, slide: str, file: str, files: str, split: str) -> None:
    if not ID_PATTERN.fullmatch(slide):
        raise UsageError(
            f"{line}: the slide id '{slide}' names files and folders, so it may hold only letters,"
            " digits, '.', '_' and '-', at most 100, and starts with a letter or digit; rename it"
            " (the path may hold anything)"
        )
    if not file:
        raise UsageError(f"{line}: slide '{slide}' has no path; fill the column 'path'")
    if "\0" in files:
        raise UsageError(f"{line}: a path of slide '{slide}' has a null character; correct it")
    if split and split not in SPLITS:
        raise UsageError(f"{line}: split '{split}' is unknown; use one of {', '.join(SPLITS)}")


def _check_duplicates(path: Path, slides: pd.Series[str]) -> None:
    # Two ids that differ only in case would share a folder on some file systems.
    folded = slides.str.lower()
    if folded.duplicated().any():
        repeated = slides[folded.duplicated()].iloc[0]
        raise UsageError(
            f"{path} lists the slide id '{repeated}' twice; give each slide its own id"
        )


def _check_patients(path: Path, sheet: pd.DataFrame) -> None:
    """Slides of one patient look alike: a score on one of them says little about other patients."""
    known = sheet[(sheet["patient"] != "") & (sheet["split"] != "")]
    for patient, rows in known.groupby("patient", sort=False):
        splits = {
            split: ", ".join(group["slide"]) for split, group in rows.groupby("split", sort=False)
        }
        if len(splits) > 1:
            groups = " and ".join(f"{split!s} ({slides})" for split, slides in splits.items())
            raise UsageError(
                f"{path}: the patient '{patient}' is in the splits {groups}; put all slides of a"
                " patient into one split"
            )


def _read_mpp(path: Path, cells: pd.Series[str]) -> pd.Series[float]:
    numbers = pd.to_numeric(cells.where(cells != ""), errors="coerce")
    for cell, number in zip(cells, numbers, strict=True):
        if cell and not math.isfinite(number):
            raise UsageError(
                f"{path}: the mpp '{cell}' is not a number; give microns per pixel, such as 0.25"
            )
    return numbers
