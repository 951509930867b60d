"""Tab-separated tables, which people also open in spreadsheets."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of a cell that a spreadsheet takes for a formula."""


def plain_cell(value: object) -> object:
    """Return the value of a cell so that no spreadsheet runs it; numbers stay as they are.

    A text that begins as a formula does gets an apostrophe before it, by which spreadsheets mark
    text.
    """
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table with a header; None is an empty cell, and texts are `plain_cell`s."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
        writer.writerows([map(plain_cell, row) for row in (header, *rows)])
