"""The recipe for conda says what pyproject.toml says, in conda's names."""

import re
import tomllib
from pathlib import Path

import jinja2
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import lds_path
from lds_path.cli import cli

REPOSITORY = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
NAMES = {
    "dask": "dask-core",  # with the extra `array`, which is numpy
    "matplotlib": "matplotlib-base",  # without the windows of Qt
    "openslide-bin": "openslide",
    "snakemake": "snakemake-minimal",
    "torch": "pytorch",
}
"""Names of Python's index -> of conda."""


@pytest.fixture(scope="module")
def recipe():
    text = (REPOSITORY / "recipes/lds-path/meta.yaml").read_text()
    template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(text)
    values = {"PYTHON": "python", "pin_subpackage": lambda name, max_pin: f"{name} {max_pin}"}
    return yaml.safe_load(template.render(values))


def specifiers(lines) -> dict[str, SpecifierSet]:
    """Return package -> versions of lines such as `pytorch 2.13.*`."""
    found = {}
    for line in lines:
        name, _, versions = line.partition(" ")
        found[name] = SpecifierSet(re.sub(r"^(?=\d)", "==", versions))
    return found


def test_the_recipe_has_the_dependencies_of_the_package_with_their_bounds(recipe):
    expected = {"python": SpecifierSet(PROJECT["project"]["requires-python"])}
    for line in PROJECT["project"]["dependencies"]:
        requirement = Requirement(line)
        expected[NAMES.get(requirement.name, requirement.name)] = requirement.specifier
    assert specifiers(recipe["requirements"]["run"]) == expected
    assert len(expected) > 25


def test_the_recipe_builds_with_what_builds_the_wheel(recipe):
    host = specifiers(recipe["requirements"]["host"])
    (backend,) = map(Requirement, PROJECT["build-system"]["requires"])
    assert host[backend.name] == backend.specifier
    oldest = PROJECT["project"]["requires-python"].removeprefix(">=")
    assert host["python"] == SpecifierSet(f"=={oldest}.*")
    assert recipe["source"]["path"] == "../.."


def test_the_recipe_states_the_version_the_licence_and_the_programs(recipe):
    assert recipe["package"] == {
        "name": PROJECT["project"]["name"],
        "version": lds_path.__version__,
    }
    assert recipe["about"]["license"] == PROJECT["project"]["license"]
    assert recipe["about"]["license_file"] == PROJECT["project"]["license-files"]
    programs = [f"{name} = {call}" for name, call in PROJECT["project"]["scripts"].items()]
    assert recipe["build"]["entry_points"] == programs


def test_the_recipe_tries_commands_that_there_are(recipe):
    words = [line.split() for line in recipe["test"]["commands"]]
    own = [command[1] for command in words if command[0] == "lds-path"]
    assert set(own) - {"--help"} <= set(cli.commands)
    assert {"doctor", "init"} <= set(own)
    assert recipe["test"]["imports"][0] == "lds_path"
