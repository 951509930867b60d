"""Running Groovy, the language of QuPath's scripts, where it is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

LIBRARIES = Path("/usr/share/groovy/lib")
"""Of Debian's package groovy."""


def run_groovy(script, *arguments, classes):
    """Return what a script prints, run in Groovy with further classes; skips without Groovy.

    Java is called, not `groovy`, whose own class loader keeps Bio-Formats from parsing XML.
    """
    path = os.pathsep.join([str(classes), str(LIBRARIES / "*")])
    return _run("java", "-cp", path, "groovy.ui.GroovyMain", str(script), *map(str, arguments))


def compile_groovy(folder, sources):
    """Compile Groovy into the classes of a folder."""
    _run("java", "-cp", str(LIBRARIES / "*"), "org.codehaus.groovy.tools.FileSystemCompiler",
         "-d", str(folder), *map(str, sources))  # fmt: skip


def _run(*command):
    if not LIBRARIES.is_dir() or shutil.which("java") is None:
        pytest.skip("java or groovy is not installed (Debian: groovy)")
    environment = os.environ | {"LC_ALL": "C"}  # nothing may depend on the user's language
    done = subprocess.run(
        command, check=False, capture_output=True, encoding="utf-8", env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
