"""The two recipes of the image do the same, and take what the wheel is built from."""

import re
import shlex
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
DEFINITION = (REPOSITORY / "containers/lds-path.def").read_text()
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()


def steps(word: str) -> list[str]:
    """Return what follows a word of the Dockerfile, each step as one line."""
    joined = re.sub(r" *\\\n *", " ", DOCKERFILE)
    return re.findall(rf"^{word} (.*)$", joined, re.MULTILINE)


def section(name: str) -> list[str]:
    """Return the lines of a section of the definition, each command as one line."""
    (text,) = re.findall(rf"^%{name}\n((?: .*\n)*)", DEFINITION, re.MULTILINE)
    return [line.strip() for line in re.sub(r" *\\\n *", " ", text).splitlines()]


def read_exceptions() -> list[str]:
    lines = (REPOSITORY / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def test_apptainer_runs_the_commands_of_the_dockerfile():
    build = steps("RUN")[:-1]  # the last one is of the image that has no pip
    assert len(build) == 5
    post = [line for line in section("post") if not re.match(r"export |TORCH_INDEX=|rm ", line)]
    assert post == build


def test_both_recipes_have_the_same_values():
    defaults = dict(re.findall(r"^ARG (\w+)=(\S*)$", DOCKERFILE, re.MULTILINE))
    assert f"From: {defaults['BASE']}" in DEFINITION
    arguments = dict(line.split("=", 1) for line in section("arguments"))
    assert arguments == {
        "torch_index": defaults["TORCH_INDEX"],
        "processor": defaults["PROCESSOR"],
    }
    labels = dict(part.split("=", 1) for part in shlex.split(steps("LABEL")[0]))
    own = dict(line.split(" ", 1) for line in section("labels"))
    assert {name: labels[name] for name in own} == own
    licence = "org.opencontainers.image.licenses"
    assert labels[licence] == PROJECT["project"]["license"]
    environment = shlex.split(steps("ENV")[-1].replace("$PROCESSOR", "{{ processor }}"))
    exported = [part for line in section("environment") for part in line.split()[1:]]
    assert set(" ".join(environment).split()) - {"HOME=/tmp", "USER=lds-path"} == set(exported)


def test_the_image_gets_what_the_wheel_is_built_from():
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        *wheel["packages"],
        *wheel["hooks"]["custom"]["files"],
        *PROJECT["project"]["license-files"],
        PROJECT["project"]["readme"],
        "pyproject.toml",
        "hatch_build.py",
    }
    assert set(read_exceptions()) == needed | {"requirements.txt"}
    files = dict(line.split() for line in section("files"))
    assert files.pop("requirements.txt") == "/build/requirements.txt"
    assert files == {name: f"/build/lds-path/{name}" for name in needed}


def test_the_image_belongs_to_no_user_and_needs_no_home():
    assert steps("USER") == ["1000:1000"]
    assert "HOME=/tmp" in steps("ENV")[-1]
