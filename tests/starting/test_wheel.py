"""The wheel holds all that a run needs outside a clone; `init` and Snakemake run with it."""

import json
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
from snakemake_run import jobs_of

import lds_path

REPOSITORY = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
SHARED = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["custom"]["files"]


def build(target: str, source: Path, output: Path) -> Path:
    """Return what hatchling builds from a clone or an unpacked sdist; it needs no network."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target]
    subprocess.run([*command, "--directory", output], cwd=source, check=True, capture_output=True)
    (built,) = output.iterdir()
    return built


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The unpacked wheel of the sdist of this clone."""
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(build("sdist", REPOSITORY, folder / "sdist")) as sdist:
        sdist.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    with zipfile.ZipFile(build("wheel", source, folder / "dist")) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def run(site, tmp_path):
    """Runs modules in a folder outside the clone, with the package of the wheel."""

    def run_module(module: str, *arguments: str, folder: Path = tmp_path):
        paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(site), "PATH": os.pathsep.join(paths)},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    return run_module


@pytest.fixture
def folder(run, tmp_path) -> Path:
    """A working folder as the wheel writes it."""
    done = run("lds_path.cli", "init", "my study")
    assert done.returncode == 0, done.stderr
    return tmp_path / "my study"


def files_below(folder: Path) -> dict[str, bytes]:
    """Return path -> content of the files that are not made by running Python."""
    paths = [path for path in folder.rglob("*") if "__pycache__" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.is_file()}


def test_a_wheel_holds_the_package_with_its_models_and_the_workflow(site):
    package = files_below(site / "lds_path")
    shared = {
        name.removeprefix("workflow_files/"): package.pop(name)
        for name in list(package)
        if name.startswith("workflow_files/")
    }
    assert package == files_below(REPOSITORY / "lds_path")
    for name in SHARED:
        path = REPOSITORY / name
        expected = (
            {f"{name}/{each}": content for each, content in files_below(path).items()}
            if path.is_dir()
            else {name: path.read_bytes()}
        )
        found = {each: shared.pop(each) for each in list(shared) if each.split("/")[0] == name}
        assert found == expected, name
    assert shared == {}


def test_a_wheel_states_its_python_its_licences_and_its_extras(site):
    (about,) = site.glob("lds_path-*.dist-info")
    metadata = Parser().parsestr((about / "METADATA").read_text())
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Version"] == lds_path.__version__
    assert {path.name for path in (about / "licenses").iterdir()} == {"LICENSE", "NOTICE"}
    assert {"napari", "parquet", "slurm"} <= set(metadata.get_all("Provides-Extra"))
    entries = (about / "entry_points.txt").read_text()
    assert "lds-path = lds_path.cli:main" in entries
    assert "lds-path = lds_path:napari.yaml" in entries


def test_a_new_folder_without_slides_is_told_so_in_one_line(run, folder):
    done = run("snakemake", "--cores", "1", folder=folder)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "Error: slides.tsv lists no slide; add one line a slide below the header"
    )
    assert "Traceback" not in done.stderr


def test_a_new_folder_runs_the_demo_with_the_workflow_of_the_wheel(run, folder):
    demo = ("--cores", "1", "--config", "slides=demo")
    planned = run("snakemake", "-n", *demo, folder=folder)
    jobs = jobs_of(planned)
    assert {jobs[rule] for rule in ("demo", "tile", "segment", "evaluate", "export")} == {2}
    assert (jobs["report"], jobs["study"]) == (1, 1)
    assert "Using workflow specific profile profiles/default" in planned.stderr
    painted = "results/demo/painted-101/slide.tif"
    done = run("snakemake", painted, *demo, folder=folder)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((folder / painted).with_name("manifest.json").read_text())
    assert manifest["status"] == "done"


def test_a_key_that_an_older_configuration_lacks_has_its_default(run, folder):
    (folder / "config.yaml").write_text("slides: demo\nmodel: demo\ntile: {levels: all}\n")
    assert jobs_of(run("snakemake", "-n", "--cores", "1", folder=folder))["tile"] == 2


def test_a_mistake_in_the_configuration_is_named_with_the_file_of_the_folder(run, folder):
    with (folder / "config.yaml").open("a") as file:
        file.write("modle: demo\n")
    done = run("snakemake", "-n", "--cores", "1", folder=folder)
    assert done.stderr.splitlines()[-1] == (
        "Error: config.yaml: the key 'modle' is unknown; did you mean 'model'?"
    )
