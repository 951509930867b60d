"""The jobs run in the image that the configuration names, and without one as ever."""

import pytest
from snakemake_run import snakemake

from lds_path.options.slides import DemoOptions
from lds_path.stages.demo import demo

APPTAINER = """#!/bin/bash
if [ "$1" = --version ]; then echo "apptainer version 1.4.5"; exit; fi
printf '%s\\n' "${@: -4:1}" >> {calls}
exec "${@: -3:1}" -c "${@: -1}"
"""
"""Runs `exec ARGUMENTS IMAGE SHELL -c COMMAND` without a container, and notes the image."""
FAILS = "#!/bin/bash\necho 'no conda is needed' >&2\nexit 1\n"


@pytest.fixture
def tile(tmp_path):
    """Tiles a slide under Apptainer; returns the run and the images of its jobs."""
    demo(tmp_path / "a", options=DemoOptions(width=512, height=512))
    (tmp_path / "slides.tsv").write_text("slide\tpath\na\ta/slide.tif\n")
    programs, calls = tmp_path / "programs", tmp_path / "calls"
    programs.mkdir()
    for name, text in (("apptainer", APPTAINER.replace("{calls}", f"'{calls}'")), ("conda", FAILS)):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    calls.touch()

    def run(**change):
        change |= {"slides": str(tmp_path / "slides.tsv")}
        options = ["--software-deployment-method", "apptainer", "--", "results/tile/a"]
        done = snakemake(tmp_path, *options, change=change, programs=programs)
        return done, calls.read_text().splitlines()

    return run


@pytest.mark.slow
def test_jobs_run_in_the_image_of_the_configuration_without_conda(tile, tmp_path):
    (tmp_path / "lds.sif").touch()
    done, images = tile(container="lds.sif")
    assert done.returncode == 0, done.stderr
    assert images == ["lds.sif"]
    assert (tmp_path / "results/tile/a/manifest.json").is_file()


@pytest.mark.slow
def test_without_an_image_jobs_run_as_ever(tile, tmp_path):
    done, images = tile()
    assert done.returncode == 0, done.stderr
    assert images == []
    assert (tmp_path / "results/tile/a/manifest.json").is_file()


def test_the_name_of_an_image_with_a_space_is_refused(tile):
    done, images = tile(container="my image.sif")
    assert done.returncode == 1
    assert "change.yaml: 'container'" in done.stderr.splitlines()[-1]
    assert images == []
