"""Threads that share a file each read their own place, also where the system has one place a file."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lds_path.system.file_reads import read_at


@pytest.mark.parametrize("has_pread", [True, False])
def test_threads_read_their_own_places(has_pread, tmp_path, monkeypatch):
    if not has_pread:
        monkeypatch.delattr(os, "pread")
    content = os.urandom(2**20)
    path = str(tmp_path / "file")
    Path(path).write_bytes(content)
    offsets = range(0, 2**20 + 4096, 4096)
    with Path(path).open("rb") as file, ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda at: read_at(path, file.fileno(), 4096, at), offsets))
    assert b"".join(parts) == content
    assert parts[-1] == b""
