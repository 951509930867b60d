"""The wheel holds all that a run needs outside a clone; `init` and Snakemake run with it."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from email.parser import Parser
from pathlib import Path

import pytest
from annotated_slides import annotate_slide, tune_on
from page_blocks import blocks_of, script_with
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
def python(tmp_path_factory) -> Path:
    """Python of an environment in which the wheel of the sdist of this clone is installed.

    The package is there from the wheel alone; other packages are those of the environment of the tests, and
    loops that are compiled for the clone are not compiled again.
    """
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(build("sdist", REPOSITORY, folder / "sdist")) as sdist:
        sdist.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    wheel = build("wheel", source, folder / "dist")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "lds"], check=True)
    python = folder / "lds/bin/python"
    install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    subprocess.run([*install, "--no-deps", "--no-index", wheel], check=True)
    # A .pth file within it, as that of an editable install of the clone, is not read.
    (site_of(python) / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    take_compiled(site_of(python) / "lds_path")
    program = python.with_name("snakemake")
    program.write_text(
        f"#!{python}\nimport sys\nfrom snakemake.cli import main\n\nsys.exit(main())\n"
    )
    program.chmod(0o755)
    return python


def take_compiled(package: Path) -> None:
    """Put the machine code of the clone's modules beside those of a package, which have the same text."""
    for code in (REPOSITORY / "lds_path").rglob("__pycache__/*.nb[ci]"):
        source = code.parent.with_name(f"{code.name.partition('.')[0]}.py")
        if source.is_file():  # the code of a module may outlive it
            folder = package / code.parent.relative_to(REPOSITORY / "lds_path")
            folder.mkdir(exist_ok=True)
            shutil.copy(code, folder)
            times = source.stat()  # numba takes the code of a file of this time and length
            os.utime(folder.with_name(source.name), ns=(times.st_atime_ns, times.st_mtime_ns))


def site_of(python: Path) -> Path:
    """Return the packages of an environment."""
    (site,) = python.parent.parent.glob("lib/python*/site-packages")
    return site


@pytest.fixture
def site(python) -> Path:
    """The installed wheel."""
    return site_of(python)


@pytest.fixture
def run(python, tmp_path):
    """Runs a script of the shell in a folder outside the clone, with the programs of the wheel."""

    def run_script(script: str, *, folder: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        own = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return subprocess.run(
            ["bash", "-euc", script],
            cwd=folder,
            env={**own, "PATH": os.pathsep.join([str(python.parent), os.environ["PATH"]])},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    return run_script


@pytest.fixture
def folder(run, tmp_path) -> Path:
    """A working folder as the wheel writes it."""
    done = run("lds-path init 'my study'")
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


def test_what_runs_is_the_installed_package_and_not_the_clone(run, site):
    found = run(
        "python -c 'import lds_path; print(lds_path.__file__)'; command -v lds-path snakemake"
    )
    paths = [Path(line) for line in found.stdout.splitlines()]
    programs = site.parents[2] / "bin"
    assert paths == [site / "lds_path/__init__.py", programs / "lds-path", programs / "snakemake"]


def test_a_new_folder_without_slides_is_told_so_in_one_line(run, folder):
    done = run("snakemake --cores 1", folder=folder)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        "Error: slides.tsv lists no slide; add one line a slide below the header"
    )
    assert "Traceback" not in done.stderr


def test_a_new_folder_runs_the_demo_with_the_workflow_of_the_wheel(run, folder):
    demo = "--cores 1 --config slides=demo"
    planned = run(f"snakemake -n {demo}", folder=folder)
    jobs = jobs_of(planned)
    assert {jobs[rule] for rule in ("demo", "tile", "segment", "evaluate", "export")} == {2}
    assert (jobs["report"], jobs["study"]) == (1, 1)
    assert "Using workflow specific profile profiles/default" in planned.stderr
    painted = "results/demo/painted-101/slide.tif"
    done = run(f"snakemake {painted} {demo}", folder=folder)
    assert done.returncode == 0, done.stderr
    manifest = json.loads((folder / painted).with_name("manifest.json").read_text())
    assert manifest["status"] == "done"


def test_a_key_that_an_older_configuration_lacks_has_its_default(run, folder):
    (folder / "config.yaml").write_text("slides: demo\nmodel: demo\ntile: {levels: all}\n")
    assert jobs_of(run("snakemake -n --cores 1", folder=folder))["tile"] == 2


def test_a_mistake_in_the_configuration_is_named_with_the_file_of_the_folder(run, folder):
    with (folder / "config.yaml").open("a") as file:
        file.write("modle: demo\n")
    done = run("snakemake -n --cores 1", folder=folder)
    assert done.stderr.splitlines()[-1] == (
        "Error: config.yaml: the key 'modle' is unknown; did you mean 'model'?"
    )


SMALL_TRAINING = """
train: {steps: 20, batch_size: 2}
detect: {region_size: 512, overlap: 64, lattice: 64}
"""
"""Less than the page has, since only whether it runs is of interest."""


@pytest.mark.slow
def test_the_installed_wheel_trains_by_the_commands_of_the_page(run, folder):
    page = "docs/train.md"
    annotate_slide(folder, "a", seed=1)
    annotate_slide(folder, "b", seed=2)
    assert run(script_with(page, "printf"), folder=folder).returncode == 0
    tune_on(folder / "slides.tsv", "b")
    (folder / "mine.yaml").write_text(blocks_of(page, "yaml")[0] + SMALL_TRAINING)
    done = run(script_with(page, "snakemake -n train"), folder=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "train: done after 20 steps" in done.stderr
    assert "[1/1] model trained" in done.stdout + done.stderr
    manifest = json.loads((folder / "results/train/manifest.json").read_text())
    assert (manifest["status"], manifest["parameters"]["steps"]) == ("done", 20)
    described = run("lds-path describe results/train", folder=folder)
    assert re.search(r"weights of +step 20 of 20", described.stdout)
    assert re.search(r"^  1 Gland +#009E73 +tune Dice", described.stdout, re.MULTILINE)
