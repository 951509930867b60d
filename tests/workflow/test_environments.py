"""The environment of each rule holds what its stage imports: torch is installed for a network only."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import grimp
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from snakemake_run import REPOSITORY, snakemake

CLI = "lds_path.cli"
COMMANDS = (CLI, "lds_path.direct.commands")
"""Modules that import late what a command needs."""
RULE = re.compile(r'^rule (\w+):.*?conda:\s+"\.\./\.\./envs/(\w+)\.yaml"', re.DOTALL | re.MULTILINE)
EXTRAS = ("fastslide", "wsidicom", "pydicom")
"""Packages for slides that the others cannot read; where one is missing, the message names it."""
NETWORK_PACKAGES = ("torch", "monai", "filelock")


def read_environments() -> dict[str, list[str]]:
    """Return environment -> the stages that run in it, from the lines `conda:` of the rules."""
    found: dict[str, list[str]] = {}
    for path in (REPOSITORY / "workflow/rules").glob("*.smk"):
        for rule in re.split(r"^(?=rule )", path.read_text(), flags=re.MULTILINE)[1:]:
            stage, environment = RULE.match(rule).groups()
            assert f'"lds-path {stage} ' in rule
            found.setdefault(environment, []).append(stage)
    return found


def read_packages(environment: str) -> list[str]:
    """Return the packages that an environment lists, in the spelling of the index."""
    content = yaml.safe_load((REPOSITORY / f"envs/{environment}.yaml").read_text())
    return [
        canonicalize_name(Requirement(line).name) for line in content["dependencies"][-1]["pip"]
    ]


ENVIRONMENTS = read_environments()
DISTRIBUTIONS = packages_distributions()


def test_every_stage_has_an_environment_and_every_environment_a_stage():
    stages = {path.stem for path in (REPOSITORY / "lds_path/stages").glob("[a-z]*.py")}
    assert sorted(stage for each in ENVIRONMENTS.values() for stage in each) == sorted(stages)
    assert {path.stem for path in (REPOSITORY / "envs").glob("*.yaml")} == set(ENVIRONMENTS)


# --- by what the modules import ---------------------------------------------------------------


@pytest.fixture
def graph() -> grimp.ImportGraph:
    """Who imports whom, but for the imports of types and those that the command line does late."""
    found = grimp.build_graph(
        "lds_path",
        include_external_packages=True,
        exclude_type_checking_imports=True,
        cache_dir=None,
    )
    for importer in COMMANDS:
        late = late_lines(REPOSITORY / f"{importer.replace('.', '/')}.py")
        for module in found.find_modules_directly_imported_by(importer):
            details = found.get_import_details(importer=importer, imported=module)
            if {each["line_number"] for each in details} <= late:
                found.remove_import(importer=importer, imported=module)
    return found


def late_lines(path: Path) -> set[int]:
    """Return the lines of a module that lie within its functions."""
    tree = ast.parse(path.read_text())
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return {line for one in functions for line in range(one.lineno, one.end_lineno + 1)}


def find_packages(graph: grimp.ImportGraph, *modules: str) -> dict[str, str]:
    """Return package that modules import, however indirectly -> one that imports it."""
    pending, seen, found = list(modules), set(), {}
    while pending:
        module = pending.pop()
        if module in seen:
            continue
        seen.add(module)
        for each in graph.find_modules_directly_imported_by(module):
            if each.partition(".")[0] == "lds_path":
                pending += [each, *parents(each)]
            elif each not in sys.stdlib_module_names:
                found[each] = module
    return found


def parents(module: str) -> list[str]:
    """Return the packages around a module, which Python imports before it."""
    parts = module.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts))]


def find_missing(graph: grimp.ImportGraph, environment: str) -> list[str]:
    """Return what the stages of an environment import and the environment does not list."""
    listed = {*read_packages(environment), *EXTRAS}
    stages = [f"lds_path.stages.{stage}" for stage in ENVIRONMENTS[environment]]
    return [
        f"{module} imports {package}"
        for package, module in find_packages(graph, CLI, *stages).items()
        if not listed & set(map(canonicalize_name, DISTRIBUTIONS.get(package, [package])))
    ]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_lists_what_its_stages_import(graph, environment):
    assert find_missing(graph, environment) == []


@pytest.mark.parametrize(
    ("importer", "imported", "found"),
    [
        ("lds_path.options", "torch", "lds_path.options imports torch"),
        ("lds_path.stages.export", "monai", "lds_path.stages.export imports monai"),
        ("lds_path.run.sheet", "lds_path.run.gpu_locks", "lds_path.run.gpu_locks imports filelock"),
        ("lds_path.formats", "torch", "lds_path.formats imports torch"),
    ],
)
def test_an_import_of_the_network_before_a_stage_of_slides_is_found(
    graph, importer, imported, found
):
    if imported not in graph.modules:
        graph.add_module(imported, is_squashed=True)
    graph.add_import(importer=importer, imported=imported)
    assert found in find_missing(graph, "slide")
    assert find_missing(graph, "network") == []


def test_the_network_is_in_reach_of_the_stages_that_run_it(graph):
    stages = [f"lds_path.stages.{stage}" for stage in ENVIRONMENTS["network"]]
    assert set(NETWORK_PACKAGES) <= set(find_packages(graph, *stages))
    assert not set(NETWORK_PACKAGES) & set(read_packages("slide"))


def test_the_workflow_itself_starts_without_a_network(graph):
    text = (REPOSITORY / "workflow/rules/common.smk").read_text()
    modules = re.findall(r"^from (lds_path\.\S+) import", text, re.MULTILINE)
    assert modules
    assert not set(NETWORK_PACKAGES) & set(find_packages(graph, *modules))


# --- by a run ---------------------------------------------------------------------------------


def with_requirements(names: list[str]) -> set[str]:
    """Return distributions with all that they require, as they are installed here."""
    pending, seen = [(name, "") for name in names], set()
    while pending:
        name, extra = pending.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for line in distribution(name).requires or []:
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                pending += [(canonicalize_name(needed.name), one) for one in ("", *needed.extras)]
    return {name for name, _ in seen}


def make_bare(folder: Path, names: list[str]) -> Path:
    """Make an environment that holds some of the distributions here, and return its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in with_requirements(names):
        installed = distribution(name)
        tops = {file.parts[0] for file in installed.files or []} - {"..", "__pycache__"}
        for top in tops:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(installed.locate_file(top)).resolve())
    return folder / "bin" / "python"


def write_program(folder: Path, python: Path) -> Path:
    """Write an `lds-path` that runs the stages of slides by the bare Python, others by this one."""
    folder.mkdir()
    program = folder / "lds-path"
    program.write_text(
        f'#!/bin/sh\nprogram="{sys.executable}"\n'
        f'case "$1" in {"|".join(ENVIRONMENTS["slide"])}) program="{python}" ;; esac\n'
        'exec "$program" -m lds_path.cli "$@"\n'
    )
    program.chmod(0o755)
    return folder


@pytest.mark.slow
def test_only_the_stages_of_the_network_need_torch_to_be_installed(tmp_path):
    python = make_bare(tmp_path / "bare", read_packages("slide"))
    for package in NETWORK_PACKAGES:
        tried = subprocess.run(
            [python, "-c", f"import {package}"], capture_output=True, text=True, check=False
        )
        assert f"No module named '{package}'" in tried.stderr
    programs = write_program(tmp_path / "programs", python)
    painted = [programs / "lds-path", "demo", tmp_path / "a", "--width", "700", "--height", "600"]
    subprocess.run(painted, check=True, cwd=REPOSITORY)
    (tmp_path / "slides.tsv").write_text("slide\tpath\tlabels\na\ta/slide.tif\ta/labels.tif\n")
    change = {"detect": {"min_tissue_um2": 1.0, "region_size": 512, "overlap": 64, "lattice": 64}}
    sheet = f"slides={tmp_path / 'slides.tsv'}"
    run = snakemake(tmp_path, "--config", sheet, change=change, programs=programs)
    assert run.returncode == 0, run.stderr + run.stdout
    results = tmp_path / "results"
    assert (results / "stitch/a/a.labels.ome.tif").stat().st_size > 0
    assert (results / "evaluate/a/scores.tsv").is_file()
    assert (results / "report/index.html").is_file()
    made = [json.loads(path.read_text()) for path in results.rglob("manifest.json")]
    assert {each["status"] for each in made} == {"done"}
    with_torch = {each["stage"] for each in made if "torch" in each["versions"]}
    assert with_torch == {"plan", "segment"}
    assert {each["stage"] for each in made} - with_torch == set(ENVIRONMENTS["slide"]) - {"demo"}
