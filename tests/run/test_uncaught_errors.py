"""Errors that no command handles end the process with one line or a traceback, and exit code 1."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from lds_path.run.uncaught_errors import print_uncaught

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
