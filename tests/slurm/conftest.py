"""One cluster for all tests, and folders for their runs."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cluster import Cluster, missing_programs

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster of one node, ended after the last test."""
    if missing := missing_programs():
        pytest.skip(f"no {', '.join(missing)}; install slurm-wlm and munge (as root: .ci/install)")
    with tempfile.TemporaryDirectory(prefix="lds-path-slurm-", dir="/tmp") as folder:
        cluster = Cluster(Path(folder))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()
