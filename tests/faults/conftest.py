"""Counts the faults that the tests inject and what became of them, and shows it as a table."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fault_table import add_up, render, write_page
from small_run import ARGUMENTS, OUTPUTS, run_all
from workflow_run import finish, prepare

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

    @property
    def painted(self) -> Path:
        """Folder of the slide and its labels."""
        return self.folder / OUTPUTS["demo"]


@pytest.fixture
def ledger(record_property) -> Ledger:
    return Ledger(record_property)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory) -> Undisturbed:
    """All stages of a small slide, run once for all tests; not to be changed."""

    def make(folder: Path) -> None:
        for name in ("first", "counted", "moments"):
            (folder / name).mkdir()
        run_all(folder / "first")  # compiles what is not compiled yet
        run_all(folder / "counted", COUNT_MOMENTS=str(folder / "moments"))

    folder = make_once(tmp_path_factory, "undisturbed", make)
    moments = {stage: int((folder / "moments" / stage).read_text()) for stage in ARGUMENTS}
    return Undisturbed(folder / "first", moments)


@pytest.fixture(scope="session")
def undisturbed_workflow(undisturbed, tmp_path_factory) -> Path:
    """The workflow on two small slides, run once for all tests; not to be changed."""

    def make(folder: Path) -> None:
        prepare(folder, undisturbed.painted)
        finish(folder)

    return make_once(tmp_path_factory, "undisturbed-workflow", make)


def make_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that the first of the workers makes."""
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            folder.mkdir()
            make(folder)
    return folder


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
