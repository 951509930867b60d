"""Counts the faults that the tests inject and what became of them, and shows it as a table."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fault_table import add_up, render, write_page
from small_run import ARGUMENTS, run_all

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Ledger:
    """Notes what a test injects, and what was survived once that is known."""

    note: Callable[[str, object], None]

    def inject(self, kind: str, count: int = 1) -> None:
        """Note faults before they are injected."""
        self.note("injected", (kind, count))

    def survive(self, kind: str, count: int = 1, *, identical: int | None = None) -> None:
        """Note those that were survived, and how many left the same bytes where that is asked."""
        self.note("survived", (kind, count))
        if identical is not None:
            self.note("identical", (kind, identical))


@dataclass(frozen=True)
class Undisturbed:
    """A run of all stages that nothing disturbed."""

    folder: Path
    moments: dict[str, int] = field(default_factory=dict)
    """Stage -> number of moments at which it could be killed."""


@pytest.fixture
def ledger(record_property) -> Ledger:
    return Ledger(record_property)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> Undisturbed:
    """All stages of a small slide, run once for all tests; not to be changed."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, again, counts = (shared / name for name in ("undisturbed", "counted", "moments"))
    with (shared / "undisturbed.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # of the workers, the first one makes it
        if not folder.exists():
            for each in (folder, again, counts):
                each.mkdir()
            run_all(folder)  # compiles what is not compiled yet
            run_all(again, COUNT_MOMENTS=str(counts))
    return Undisturbed(folder, {stage: int((counts / stage).read_text()) for stage in ARGUMENTS})


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--write-page", action="store_true", help="Write the table into docs/faults.md"
    )


@pytest.hookimpl(tryfirst=True)  # before the items are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker("faults")


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    reports = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if getattr(report, "when", "") == "call"
    ]
    rows = add_up([report.user_properties for report in reports])
    if not rows:
        return
    terminalreporter.section("faults")
    terminalreporter.write_line(render(rows))
    if config.getoption("--write-page"):
        write_page(rows)
