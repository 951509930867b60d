"""The file of a sample sheet as spreadsheet programs and people write it: encoding, separator, quotes."""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import TYPE_CHECKING

import pandas as pd

from lds_path.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

TAB = "\t"
SEPARATORS = (TAB, ";", ",")
"""The first that the header holds counts: a comma may be part of a name."""
QUOTED = re.compile(r'"(?:[^"]|"")*"')
"""A cell as spreadsheet programs write it if it holds a comma or a quote."""
UNNAMED = re.compile(r"Unnamed: \d+")
"""What pandas calls a column without a name."""


def read_table(path: Path) -> tuple[pd.DataFrame, str]:
    """Return the cells of a sheet as texts, without empty rows and columns, and what separates them.

    The index counts the lines below the header from 0.

    Parameters
    ----------
    path
        Table with a header, in UTF-8 or, with a byte-order mark, in UTF-16; tabs, semicolons or
        commas separate its columns.

    Raises
    ------
    UsageError
        If it cannot be read.
    """
    text = _read_text(path)
    header = text.lstrip().partition("\n")[0]
    separator = next((mark for mark in SEPARATORS if mark in header), TAB)
    sheet = _parse(path, text, separator).fillna("").map(_cell)
    return _without_empty_cells(path, sheet), separator


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(
            f"{path} does not exist; set `slides` in config.yaml to your sample sheet"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(
            f"{path} is not a table in UTF-8 or UTF-16; spreadsheet programs offer these encodings"
            " when they save as text (plain text is often Windows-1252); save it as UTF-8"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _parse(path: Path, text: str, separator: str) -> pd.DataFrame:
    try:
        sheet = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            dtype=str,
            keep_default_na=False,
            # A tab ends a cell whatever stands before it; a comma may be in a name.
            quoting=csv.QUOTE_NONE if separator == TAB else csv.QUOTE_MINIMAL,
        )
    except (ValueError, OSError) as error:
        raise UsageError(
            f"{path} is not a table ({' '.join(str(error).split())}); it needs a header line with"
            " the columns slide and path, separated by tabs, semicolons or commas"
        ) from None
    if not isinstance(sheet.index, pd.RangeIndex):
        raise UsageError(
            f"{path} has a line with more cells than the header; remove stray separators"
        )
    if sheet.map(lambda cell: isinstance(cell, str) and "\n" in cell).any(axis=None):
        raise UsageError(f"{path} has a cell with a line break; put the cell on one line")
    return sheet.rename(columns=_cell)


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
