"""How a mutant ended, and the counts of a campaign as a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

REFUSED, RIGHT, UNKNOWN = "refused", "right", "unknown"
TRACEBACK, HANG, CRASH, WRONG = "traceback", "hang", "crash", "wrong"
FLAWS = (TRACEBACK, HANG, CRASH, WRONG)
HEADINGS = {
    "mutants": "",
    "refused in one line": REFUSED,
    "accepted, right": RIGHT,
    "accepted, truth unknown": UNKNOWN,
    "tracebacks": TRACEBACK,
    "hangs": HANG,
    "crashes": CRASH,
    "wrong in silence": WRONG,
}
"""Column -> end that it counts."""


@dataclass(frozen=True)
class Outcome:
    """The end of one mutant, which kind and number make again."""

    kind: str
    number: int
    end: str
    detail: str = ""
    """What was said."""


def render(outcomes: Iterable[Outcome]) -> str:
    """Return the counts by kind of file as Markdown that is also read easily on a terminal."""
    counts: dict[str, Counter[str]] = {}
    for outcome in outcomes:
        counts.setdefault(outcome.kind, Counter())[outcome.end] += 1
    rows = [_row(kind, count) for kind, count in sorted(counts.items())]
    rows.append(_row("all", sum(counts.values(), Counter())))
    lines = [["file", *HEADINGS], *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    shown = [
        "| "
        + " | ".join(
            [line[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        )
        + " |"
        for line in lines
    ]
    rule = "| " + " | ".join(["-" * widths[0], *(f"{'-' * (w - 1)}:" for w in widths[1:])]) + " |"
    return "\n".join([shown[0], rule, *shown[1:]])


def _row(kind: str, count: Counter[str]) -> list[str]:
    return [kind, *(str(count[end] if end else count.total()) for end in HEADINGS.values())]
