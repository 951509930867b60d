"""A rule runs the package by the Python of its environment."""

import os
import subprocess
import sys

import pytest

import lds_path
from lds_path.rules.shell_prefix import command_prefix
from lds_path.run.warm_start import client
from lds_path.run.warm_start.client import SERVER

PYTHON = sys.executable


def put_program(folder, name, says):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\necho {says} $*\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """The folders of a conda environment without the package and of a virtual one with it."""
    (tmp_path / "lds_path").mkdir()  # a clone
    monkeypatch.setattr(sys, "executable", str(tmp_path / "no programs/bin/python"))
    put_program(tmp_path / "conda/bin", "python", "conda-python")
    put_program(tmp_path / "venv/bin", "python", "venv-python")
    put_program(tmp_path / "venv/bin", "lds-path", "venv-lds-path")
    return tmp_path / "conda", tmp_path / "venv"


def run(base, *folders, conda=None, server=""):
    """Return what `lds-path tile` says with the programs of some folders in reach."""
    path = os.pathsep.join([*(str(folder / "bin") for folder in folders), "/usr/bin", "/bin"])
    environment = {"PATH": path, SERVER: server} | ({"CONDA_PREFIX": str(conda)} if conda else {})
    script = f"set -euo pipefail; {command_prefix(base)} lds-path tile; echo ${{PYTHONPATH:-}}"
    command = ["bash", "-c", script]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.splitlines()


def test_the_package_of_a_clone_runs_by_its_program(programs, tmp_path):
    _, venv = programs
    (tmp_path / "my clone/lds_path").mkdir(parents=True)
    assert run(tmp_path / "my clone", venv) == ["venv-lds-path tile", str(tmp_path / "my clone")]


def test_a_run_with_a_server_asks_it(programs, tmp_path, monkeypatch):
    _, venv = programs
    monkeypatch.setattr(sys, "executable", str(venv / "bin/python"))
    asked = run(tmp_path, venv, server="lds-path-1")[0]
    assert asked == f"venv-python -IS {client.__file__} tile"
    put_program(tmp_path / "other/bin", "lds-path", "other-lds-path")
    assert run(tmp_path, tmp_path / "other", venv, server="lds-path-1")[0] == "other-lds-path tile"


def test_the_environment_of_a_rule_runs_the_package_not_the_program_outside(programs, tmp_path):
    conda, venv = programs
    assert run(tmp_path, conda, venv, conda=conda)[0] == "conda-python -m lds_path.cli tile"


def test_a_conda_environment_that_has_the_package_runs_its_program(programs, tmp_path):
    conda, venv = programs
    put_program(conda / "bin", "lds-path", "conda-lds-path")
    assert run(tmp_path, conda, venv, conda=conda)[0] == "conda-lds-path tile"


def test_a_virtual_environment_within_a_conda_one_runs_its_program(programs, tmp_path):
    conda, venv = programs
    assert run(tmp_path, venv, conda, conda=conda)[0] == "venv-lds-path tile"


def test_without_a_program_the_python_in_reach_runs_the_package(programs, tmp_path):
    conda, _ = programs
    assert run(tmp_path, conda)[0] == "conda-python -m lds_path.cli tile"


def test_a_virtual_environment_that_is_not_activated_has_its_program_in_reach(
    programs, tmp_path, monkeypatch
):
    conda, venv = programs
    monkeypatch.setattr(sys, "executable", str(venv / "bin/python"))
    assert run(tmp_path)[0] == "venv-lds-path tile"
    assert run(tmp_path, conda, conda=conda)[0] == "conda-python -m lds_path.cli tile"


def test_an_installed_package_runs_by_its_program_with_the_paths_of_the_user(programs, tmp_path):
    _, venv = programs
    assert run(tmp_path / "workflow_files", venv) == ["venv-lds-path tile", ""]


def test_the_environment_of_a_rule_imports_an_installed_package_but_not_what_lies_beside_it(
    programs, tmp_path, monkeypatch
):
    conda, venv = programs
    site = tmp_path / "site's packages"
    (site / "lds_path/workflow_files").mkdir(parents=True)
    (site / "beside.py").touch()
    (site / "lds_path/__init__.py").touch()
    (site / "lds_path/cli.py").write_text(
        "import importlib.util, sys\n"
        "def main(): print(sys.argv, importlib.util.find_spec('beside'))\n"
    )
    (conda / "bin/python").unlink()
    (conda / "bin/python").symlink_to(PYTHON)
    monkeypatch.setattr(lds_path, "__file__", str(site / "lds_path/__init__.py"))
    said = run(site / "lds_path/workflow_files", conda, venv, conda=conda)
    assert said == ["['lds-path', 'tile'] None", ""]
