"""Data shared by the tests: real slides where they are, painted ones everywhere."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from browser import chromium, driver
from hypothesis import settings

from lds_path.system.processes import usable_cores

__all__ = ["chromium", "data", "driver"]

# A first call may compile; a busy machine is no failure.
settings.register_profile("lds_path", deadline=None)
settings.load_profile("lds_path")

# Tests run beside each other, and start programs: threads of torch that wait for one another must not
# keep the cores busy, and those of an operation on a few pixels do nothing but wait. A stage that is
# given threads has them.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Hundreds of processes import the package and all workers import all tests: each is compiled once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

REPOSITORY = Path(__file__).parent.parent


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the processes of `-n auto`: one more than cores, as tests wait for disks and programs."""
    return usable_cores() + 1


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real slides and annotated images."""
    folder = Path(os.environ.get("LDS_PATH_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real slides in {folder}; set LDS_PATH_DATA to their folder")
    return folder
