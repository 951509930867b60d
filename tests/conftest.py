"""Data shared by the tests: real slides where they are, painted ones everywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from browser import chromium, driver
from hypothesis import settings

__all__ = ["chromium", "data", "driver"]

# A first call may compile; a busy machine is no failure.
settings.register_profile("lds_path", deadline=None)
settings.load_profile("lds_path")

# Tests run beside each other, and start programs: threads of torch that wait for one another must not
# keep the cores busy, and those of an operation on a few pixels do nothing but wait. A stage that is
# given threads has them.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("OMP_NUM_THREADS", "1")

REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def data() -> Path:
    """Folder of real slides and annotated images."""
    folder = Path(os.environ.get("LDS_PATH_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real slides in {folder}; set LDS_PATH_DATA to their folder")
    return folder
