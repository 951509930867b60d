"""Compiled code and locks are kept where only their owner writes, and nothing else is needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import lds_path

NOBODY = 65534
USER = os.getuid() or NOBODY
PYTHON = shutil.which(f"python3.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")
"""An interpreter that every user may run; that of root may lie in a private folder."""
CALL = """
from lds_path.loop import double
print(double(21), *double.stats.cache_hits.values())
"""


@pytest.fixture
def installed():
    """A copy of a module with compiled code that only root can write, where any user reads it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name) / "site"
        package = folder / "lds_path"
        package.mkdir(parents=True)
        source = Path(lds_path.__file__).parent
        for module in ("__init__.py", "compiled.py", "errors.py"):
            shutil.copyfile(source / module, package / module)
        shutil.copytree(source / "system", package / "system")
        (package / "loop.py").write_text(
            "from lds_path.compiled import compiled\n\n"
            "@compiled\ndef double(value):\n    return 2 * value\n"
        )
        close(folder)
        Path(name).chmod(0o755)
        yield folder
        for path in (folder, *folder.rglob("*/")):
            path.chmod(0o755)


def close(folder):
    """Leave nothing in a folder that can be written."""
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)


def run_double(installed, temporary):
    """Call compiled code as a user without a home folder and without a right to write."""
    if os.getuid() == 0:
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        os.chown(temporary, NOBODY, NOBODY)
        temporary.parent.chmod(0o755)
    else:
        user = {}
    return run_as(user, installed, HOME="/nonexistent", TMPDIR=str(temporary))


def run_as(user, installed, **variables):
    """Call the compiled code of an installation, with nothing but some variables around it."""
    paths = [str(installed), *(path for path in sys.path if "site-packages" in path)]
    return subprocess.run(
        [PYTHON or sys.executable, "-c", CALL],
        env={**variables, "PYTHONPATH": os.pathsep.join(paths)},
        cwd="/", capture_output=True, text=True, check=False, **user,
    )  # fmt: skip


@pytest.mark.skipif(os.getuid() == 0 and PYTHON is None, reason="no interpreter for other users")
@pytest.mark.parametrize("taken", [False, True])
def test_a_read_only_installation_and_a_user_without_a_home_work(installed, taken):
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        temporary = Path(name) / "tmp"
        temporary.mkdir()
        if taken:  # by somebody who could put code there
            folder = temporary / f"lds-path-numba-{USER}"
            folder.mkdir()
            folder.chmod(0o777)
        ended = run_double(installed, temporary)
        kept = list(temporary.glob("lds-path-numba-*/**/*.nbc"))
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "42\n"
    assert bool(kept) != taken
    assert ("NUMBA_CACHE_DIR" in ended.stderr) == taken


@pytest.mark.skipif(os.getuid() == 0 and PYTHON is None, reason="no interpreter for other users")
def test_what_a_read_only_installation_has_compiled_is_not_compiled_again(installed):
    (installed / "lds_path").chmod(0o755)
    assert run_as({}, installed, HOME=str(installed)).stdout == "42\n"
    shipped = {path.name for path in installed.glob("lds_path/__pycache__/*.nb[ci]")}
    assert {Path(name).suffix for name in shipped} == {".nbc", ".nbi"}
    close(installed)
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        temporary = Path(name) / "tmp"
        temporary.mkdir()
        ended = run_double(installed, temporary)
        kept = {path.name for path in temporary.glob("lds-path-numba-*/**/*.nb[ci]")}
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "42 1\n", "")
    assert kept == shipped
