"""What people noted of the slides: a table in the results folder, one row a slide."""

from __future__ import annotations

import csv
import json
import threading
from dataclasses import asdict, astuple, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lds_path.errors import UsageError
from lds_path.formats.table import write_table
from lds_path.provenance.complete_file import complete_file
from lds_path.provenance.typed_json import from_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

NAME = "reviews.tsv"
MAX_REMARK = 2000
"""Characters."""


@dataclass(frozen=True)
class Review:
    """What somebody noted of one slide."""

    slide: str
    reviewed: bool
    remark: str
    result: str = ""
    """Which result was looked at: the start of the hash of its labels, as the page has it."""
    noted: str = ""
    """When, UTC."""


class Reviews:
    """The table of a results folder; any thread may read and write."""

    def __init__(self, results: Path) -> None:
        self.path = results / NAME
        self._lock = threading.Lock()

    def read(self) -> dict[str, Review]:
        """Return slide -> review.

        Raises
        ------
        UsageError
            If the table cannot be read.
        """
        if not self.path.exists():
            return {}
        try:
            with self.path.open(encoding="utf-8-sig", newline="") as stream:
                rows = list(csv.DictReader(stream, delimiter="\t"))
            reviews = [_read_row(row) for row in rows]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{self.path} is not a table of reviews ({error}); rename it, and a new one is begun"
            ) from None
        return {review.slide: review for review in reviews}

    def keep(self, review: Review) -> None:
        """Add a review, or replace the one of the same slide; the file is complete at any time."""
        with self._lock:
            reviews = self.read() | {review.slide: review}
            with complete_file(self.path) as partial:
                write_table(
                    partial, [item.name for item in fields(Review)], map(_row, reviews.values())
                )

    def to_json(self) -> bytes:
        """Return slide -> review as the pages read it."""
        reviews = {slide: asdict(review) for slide, review in self.read().items()}
        return json.dumps(reviews, ensure_ascii=False).encode()


def read_review(content: bytes, slides: Sequence[str]) -> Review:
    """Return a review that a page sends.

    Raises
    ------
    UsageError
        If it is none, or of another slide.
    """
    try:
        review = from_json(Review, json.loads(content))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"this is not a review: {error}") from None
    if review.slide not in slides:
        raise UsageError(f"there is no slide {review.slide[:40]!r} in the report")
    remark = " ".join(review.remark.split())[:MAX_REMARK]
    noted = datetime.now(UTC).isoformat(timespec="seconds")
    return Review(review.slide, review.reviewed, remark, review.result[:64], noted)


def _row(review: Review) -> tuple[str, ...]:
    slide, _, *others = astuple(review)
    return (slide, "yes" if review.reviewed else "no", *others)


def _read_row(row: dict[str, str]) -> Review:
    """Return a review; the apostrophe before what looks like a formula is no part of it."""
    cells = {name: (row.get(name) or "").removeprefix("'") for name in row if name}
    return Review(
        row["slide"].removeprefix("'"),
        cells.get("reviewed", "").lower() == "yes",
        cells.get("remark", ""),
        cells.get("result", ""),
        cells.get("noted", ""),
    )
