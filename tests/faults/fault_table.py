"""The table of the faults that were injected, by kind."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

TESTS = Path(__file__).parent.parent
sys.path.append(str(TESTS / "benchmark"))

from page import write_section

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Properties = Sequence[tuple[str, object]]

PAGE = TESTS.parent / "docs" / "faults.md"
HEADINGS = ("fault", "injected", "survived", "results identical")


def add_up(tests: Iterable[Properties]) -> dict[str, dict[str, int]]:
    """Return kind of fault -> injected, survived and identical, from what the tests noted."""
    rows: dict[str, dict[str, int]] = {}
    for properties in tests:
        for name, noted in properties:
            if name in ("injected", "survived", "identical"):
                kind, count = noted
                row = rows.setdefault(kind, {})
                row[name] = row.get(name, 0) + count
    return dict(sorted(rows.items()))


def render(rows: dict[str, dict[str, int]]) -> str:
    """Return the table as Markdown that is also read easily on a terminal."""
    total = {
        name: sum(row.get(name, 0) for row in rows.values())
        for name in ("injected", "survived", "identical")
    }
    lines = [HEADINGS, *(_cells(kind, row) for kind, row in rows.items()), _cells("all", total)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    shown = [_line(line, widths) for line in lines]
    rule = "| " + " | ".join(["-" * widths[0], *(f"{'-' * (w - 1)}:" for w in widths[1:])]) + " |"
    return "\n".join([shown[0], rule, *shown[1:]])


def write_page(rows: dict[str, dict[str, int]]) -> None:
    """Write the table into the page."""
    write_section(PAGE, "faults", render(rows))


def _cells(kind: str, row: dict[str, int]) -> tuple[str, ...]:
    counts = (row.get("injected", 0), row.get("survived", 0), row.get("identical", "not asked"))
    return (kind, *(str(count) for count in counts))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    rest = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "| " + " | ".join([first, *rest]) + " |"
