"""Which errors of libraries mean that memory ran out."""

from __future__ import annotations

import errno
import os
import zlib

import pytest

from lds_path.errors import is_lack_of_memory


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        RuntimeError("can't start new thread"),
        zlib.error("Error -4 while decompressing data"),
    ],
)
def test_a_lack_of_memory_is_recognised_by_the_words_of_libraries(error):
    assert is_lack_of_memory(error)


@pytest.mark.parametrize(
    "error", [zlib.error("Error -3 while decompressing data"), OSError(errno.ENOSPC, "full")]
)
def test_damage_and_full_disks_are_no_lack_of_memory(error):
    assert not is_lack_of_memory(error)
