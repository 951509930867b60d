"""How errors end the process, and which ones of libraries mean that memory ran out."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import zlib

import pytest

from lds_path.errors import did_you_mean, is_lack_of_memory


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


PROGRAM = """
import sys
from lds_path.errors import print_uncaught

sys.excepthook = print_uncaught
raise {error}
"""


def run(error: str) -> subprocess.CompletedProcess[str]:
    program = PROGRAM.format(error=error)
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("OSError(28, 'No space left on device', 'out')", "out cannot be written: No space left"),
        ("PermissionError(13, 'Permission denied')", "the output cannot be written: Permission"),
        ("MemoryError()", "not enough memory (nothing is left); give the job more"),
        ("RuntimeError('can\\'t start new thread')", "not enough memory (can't start new thread)"),
    ],
)
def test_a_full_machine_is_one_line(error, message):
    ended = run(error)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"Error: {message}")
    assert ended.stderr.count("\n") == 1


@pytest.mark.parametrize("error", ["ValueError('a defect')", "FileNotFoundError(2, 'none', 'a')"])
def test_any_other_error_keeps_its_traceback(error):
    ended = run(error)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Traceback")


@pytest.mark.parametrize(
    ("word", "near"), [("Tumour", "Tumor"), ("STROMA", "Stroma"), ("x", ""), ("", "")]
)
def test_the_nearest_known_word_is_found_whatever_its_capitals(word, near):
    assert did_you_mean(word, ("Tumor", "Stroma")) == near
