"""Every command of the pages: its program, options, values, keys, rules and targets exist."""

from __future__ import annotations

import re
import tomllib

import click
import pytest
import yaml
from page_blocks import PAGES, Command, blocks_of, commands_in, read_page
from snakemake.cli import get_argument_parser, parse_config
from snakemake_run import REPOSITORY

import lds_path
from lds_path.cli import cli
from lds_path.run.config import check_config, read_strings

CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
SCHEMA = yaml.safe_load((REPOSITORY / "workflow/schemas/config.schema.yaml").read_text())
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
MAKEFILE = (REPOSITORY / "Makefile").read_text()
LOOPS = ("for ", "printf ")
"""Begin scripts that a test runs, or that only time imports."""
RULES = {
    name
    for path in (REPOSITORY / "workflow/rules").glob("*.smk")
    for name in re.findall(r"^(?:rule|checkpoint) (\w+):", path.read_text(), re.MULTILINE)
}


def check_lds_path(command: Command) -> None:
    name, *arguments = command.arguments
    try:
        cli.commands[name].make_context(name, arguments)
    except click.exceptions.Exit as ended:  # --help
        assert ended.exit_code == 0  # noqa: PT017


def check_snakemake(command: Command) -> None:
    given = get_argument_parser().parse_args(command.arguments)
    changes = read_strings(parse_config(given.config), SCHEMA)
    for key, value in changes.items():
        changes[key] = CONFIG[key] | value if isinstance(value, dict) else value
    check_config(CONFIG | changes, SCHEMA)
    assert set(given.groups or ()) <= RULES
    if given.workflow_profile:
        assert (REPOSITORY / given.workflow_profile / "profile.yaml").is_file()
    if given.snakefile:
        assert (REPOSITORY / given.snakefile).is_file()
    else:
        assert set(given.targets) <= RULES


def check_make(command: Command) -> None:
    for argument in command.arguments:
        name, is_variable, _ = argument.partition("=")
        if is_variable:
            assert f"$({name})" in MAKEFILE or f"$(or $({name})" in MAKEFILE or name == "REPORT"
        else:
            assert re.search(rf"^{name}:", MAKEFILE, re.MULTILINE)


def check_pip(command: Command) -> None:
    install, target = command.arguments
    name, extras = re.fullmatch(r"([^\[]*)(?:\[(.*)\])?", target).groups()
    assert install == "install"
    assert name in (f"lds_path-{lds_path.__version__}-py3-none-any.whl", ".", "lds-path")
    assert set((extras or "").split(",")) - {""} <= set(PROJECT["optional-dependencies"])


def check_python(command: Command) -> None:
    first, *arguments = command.arguments
    if first == "-m":
        assert arguments[0] in ("venv", "lds_path.options.schema")
        return
    script = REPOSITORY / first.replace("../", "")
    text = script.read_text()
    flags = [argument.partition("=")[0] for argument in arguments if argument.startswith("--")]
    assert [flag for flag in flags if f'"{flag}"' not in text] == []


def check_napari(command: Command) -> None:
    assert command.arguments[:2] == ["--plugin", next(iter(
        PROJECT["entry-points"]["napari.manifest"]))]  # fmt: skip


def check_container(command: Command) -> None:
    """Check build arguments and files, or the command that runs in the image."""
    action, *rest = command.arguments
    if action == "build":
        source = "Dockerfile" if command.program == "docker" else "containers/lds-path.def"
        arguments = [
            rest[i + 1].partition("=")[0] for i in range(len(rest)) if "build-arg" in rest[i]
        ]
        text = (REPOSITORY / source).read_text()
        assert [
            name for name in arguments if not re.search(rf"^( *|ARG ){name}=", text, re.MULTILINE)
        ] == []
        assert command.program == "docker" or rest[-1] in (source, "docker-archive:lds-path.tar")
        return
    image = next(index for index, word in enumerate(rest) if word in ("lds-path", "lds-path.sif"))
    inner = Command(command.page, tuple(rest[image + 1 :]))
    CHECKS[inner.program](inner)


def check_words_of_the_shell(command: Command) -> None:
    assert command.program in ("cd", "source", "export")


CHECKS = {
    "lds-path": check_lds_path,
    "snakemake": check_snakemake,
    "make": check_make,
    "pip": check_pip,
    "python": check_python,
    "python3": check_python,
    "napari": check_napari,
    "docker": check_container,
    "apptainer": check_container,
}
COMMANDS = dict.fromkeys(
    command
    for page in PAGES
    for script in blocks_of(page, "sh")
    if not script.startswith(LOOPS)
    for command in commands_in(page, script)
)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_of_the_pages_is_understood(command):
    CHECKS.get(command.program, check_words_of_the_shell)(command)


def test_many_commands_were_found():
    """So that a change of the pages' layout does not empty the test above."""
    assert len(COMMANDS) > 50
    assert {command.program for command in COMMANDS} >= set(CHECKS)


@pytest.mark.parametrize(
    "line",
    [
        "lds-path exprot results",
        "lds-path export stitch output --tolerance 1",
        "lds-path export stitch output --tolerance-um wide",
        "lds-path export stitch",
        "snakemake --coers all",
        "snakemake --cores all --config modle=demo",
        "snakemake --cores all --config plan='{budget: much}'",
        "snakemake trian --cores all",
        "snakemake --workflow-profile profiles/slrum",
        "make demos",
        "pip install '.[naparri]'",
        "python docs/figures.py --foldre build",
        "docker build --build-arg TORCH_INDEXES= .",
        "docker run --rm lds-path lds-path rum scan.svs",
        "apptainer build lds-path.sif container/lds-path.def",
        "curl example.org",
    ],
)
def test_a_command_with_a_mistake_is_noticed(line, capsys):
    (command,) = commands_in("a page", line)
    with pytest.raises((Exception, SystemExit)):
        CHECKS.get(command.program, check_words_of_the_shell)(command)


INLINE = dict.fromkeys(
    (page, text)
    for page in PAGES
    for text in re.findall(r"`((?:lds-path|snakemake) [^`\n]+)`", read_page(page))
)


@pytest.mark.parametrize(("page", "text"), INLINE)
def test_a_command_in_a_sentence_has_known_options(page, text):
    program, *words = text.split()
    flags = {word for word in words if word.startswith("--")}
    if program == "snakemake":
        assert flags <= set(get_argument_parser()._option_string_actions), page
        return
    name = words[0]
    if name != "COMMAND" and not name.startswith("-"):
        known = {
            flag
            for each in cli.commands[name].params
            for flag in (*each.opts, *each.secondary_opts)
        }
        assert flags <= known | {"--help"}, page
