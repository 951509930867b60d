"""The configuration, its schema, the rules, the command line and the environments agree."""

import inspect
import re
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
import yaml

from lds_path.cli import cli
from lds_path.errors import UsageError
from lds_path.option import describe, old_names
from lds_path.run.config import (
    check_config,
    read_strings,
    rename_old_keys,
    write_label_values,
)

REPOSITORY = Path(__file__).parent.parent.parent
CONFIG = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
SCHEMA = yaml.safe_load((REPOSITORY / "workflow/schemas/config.schema.yaml").read_text())
STAGES = [path.stem for path in (REPOSITORY / "lds_path/stages").glob("[a-z]*.py")]
RULES = "\n".join(path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk"))


def test_the_shipped_configuration_follows_its_schema():
    check_config(CONFIG, SCHEMA)


def test_every_stage_is_a_command_and_the_others_are_known():
    others = (
        "run init view suggest models doctor describe bundle measure verify explain crate dicom-seg"
        " serve-stages"
    )
    assert set(cli.commands) - set(STAGES) == set(others.split())
    assert set(STAGES) <= set(cli.commands)


def test_values_of_label_images_need_no_quotes():
    labels = {"class_map": {7: "Tumor", "Krebs": "Tumor"}, "ignore": [3, "Ignore*", True]}
    config = {"labels": labels}
    write_label_values(config)
    assert labels["class_map"] == {"7": "Tumor", "Krebs": "Tumor"}
    assert labels["ignore"] == ["3", "Ignore*", True]
    write_label_values({"labels": None})


@pytest.mark.parametrize("command", STAGES)
def test_what_is_an_argument_of_a_stage_and_of_its_command_has_the_same_default(command):
    stage = getattr(import_module(f"lds_path.stages.{command}"), command)
    arguments = inspect.signature(stage).parameters
    params = cli.commands[command].make_context(command, [], resilient_parsing=True).params
    known = (
        {one.name for one in describe(arguments["options"].default)}
        | set(old_names(arguments["options"].default).values())
        if "options" in arguments
        else set()
    )
    for name, value in params.items():
        if name in known or (command == "plan" and name in ("what_if", "device")):
            continue
        default = arguments[name].default
        if default is not inspect.Parameter.empty and name != "classes":
            assert value == default, name


@pytest.mark.parametrize("command", STAGES)
def test_each_stage_is_a_rule_with_the_same_name(command):
    assert f"rule {command}:" in RULES
    assert f'"lds-path {command} ' in RULES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modle": "demo"}, "the key 'modle' is unknown; did you mean 'model'?"),
        ({"export": {**CONFIG["export"], "tolerence_um": 1}}, "did you mean 'tolerance_um'?"),
        ({"tile": {}}, "'tile': 'mpp' is a required property"),
        (
            {"tile": {**CONFIG["tile"], "mpp": "half"}},
            "'tile.mpp': 'half' is not of type 'number', 'null'; expected 0.05 to 50; it is: working",
        ),
        ({"tile": {**CONFIG["tile"], "mpp": 0}}, "'tile.mpp': 0 is less than the minimum"),
        ({"classes": [{"name": "Tumor", "color": "red"}]}, "'classes.0.color': 'red' does not"),
        ({"classes": {"Tumor": "#FF0000"}}, "'classes': {'Tumor': '#FF0000'} is not of type"),
        ({"slides": None}, "'slides': None is not of type 'string'; it is: the path"),
    ],
)
def test_a_mistake_in_the_configuration_is_named_in_one_line(change, message):
    with pytest.raises(UsageError) as caught:
        check_config(CONFIG | change, SCHEMA)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("tile:\n  mpp: 1.0\nstrict: true\ntile:\n  mpp: 0.5\n", 4, "tile"),
        ("segment:\n  flips: true\n  flips: false\n", 3, "flips"),
        ('{"classes": [{"name": "A", "color": "#ff0000", "name": "B"}]}', 1, "name"),
    ],
)
def test_a_key_that_is_written_twice_is_named_and_not_read_from_the_last(tmp_path, text, line, key):
    (tmp_path / "my.yaml").write_text(text)
    with pytest.raises(
        UsageError, match=rf"my\.yaml, line {line}: the key '{key}' is written twice"
    ):
        check_config(CONFIG, SCHEMA, files=[tmp_path / "my.yaml"])


def test_a_key_that_replaces_one_of_a_merged_mapping_is_no_repetition(tmp_path):
    text = "a: &a {mpp: 1.0}\nb:\n  <<: *a\n  mpp: 0.5\n"
    (tmp_path / "my.yaml").write_text(text)
    check_config(CONFIG, SCHEMA, files=[tmp_path / "my.yaml"])


def test_a_key_is_accepted_under_its_old_name_with_a_warning():
    config = CONFIG | {"train": CONFIG["train"] | {"foretell": "network"}}
    warnings = rename_old_keys(config, SCHEMA)
    assert warnings == [
        "config.yaml: the key 'train.foretell' is now called 'train.error_source'; rename it"
    ]
    check_config(config, SCHEMA)
    assert config["train"] == CONFIG["train"] | {"error_source": "network"}
    assert rename_old_keys(config, SCHEMA) == []


@pytest.mark.parametrize(
    ("section", "key", "text", "value"),
    [
        ("stitch", "confidence", "true", True),
        ("stitch", "confidence", "False", False),
        ("stitch", "mpp", "0.5", "0.5"),
        ("stitch", "mpp", "working", "working"),
        ("tile", "mpp", "0.5", 0.5),
        ("tile", "mpp", "null", None),
        ("tile", "mpp", "", None),
        ("stitch", "zarr", "0.5", "0.5"),
        ("stitch", "zarr", "null", None),
        ("detect", "lattice", "128", 128),
        ("train", "learning_rate", "1e-3", 0.001),
        ("train", "channels", ["8", "16"], [8, 16]),
        ("train", "authors", ["8", "true"], ["8", "true"]),
        ("train", "description", "null", "null"),
        ("plan", "budget", "128", "128"),
        ("labels", "class_map", {"7": "Tumor", "8": "null"}, {"7": "Tumor", "8": "null"}),
    ],
)
def test_a_string_of_the_command_line_gets_the_type_of_its_key(section, key, text, value):
    given = read_strings({section: {key: text}}, SCHEMA)
    assert given == {section: {key: value}}
    assert type(given[section][key]) is type(value)
    check_config(CONFIG | {section: CONFIG[section] | given[section]}, SCHEMA)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"stitch": {"confidence": "yess"}},
            "'stitch.confidence': 'yess' is not of type 'boolean'",
        ),
        ({"stitch": {"confidence": "1"}}, "'stitch.confidence': '1' is not of type 'boolean'"),
        ({"stitch": {"mpp": "-1"}}, "'stitch.mpp': -1 is less than or equal to the minimum of 0"),
        ({"tile": {"mpp": "nan"}}, "'tile.mpp': 'nan' is not of type 'number', 'null'"),
        (
            {"stitch": {"mpp": "half"}},
            "'stitch.mpp': 'half' does not match any form that it can have; it is: resolution of the",
        ),
        ({"detect": {"lattice": "1.5"}}, "'detect.lattice': '1.5' is not of type 'integer'"),
        ({"plan": {"budget": "much"}}, "'plan.budget': 'much' does not match"),
        (
            {"stitch": {"confidance": "true"}},
            "the key 'stitch.confidance' is unknown; did you mean",
        ),
        ({"stitch": "true"}, "'stitch': 'true' is not of type 'object'"),
        ({"classes": [{"name": "A", "color": "1"}]}, "'classes.0.color': '1' does not match"),
    ],
)
def test_a_mistake_on_the_command_line_keeps_its_message(given, message):
    changes = read_strings(given, SCHEMA)
    config = {
        key: CONFIG[key] | value if isinstance(value, dict) else value
        for key, value in changes.items()
    }
    with pytest.raises(UsageError) as caught:
        check_config(CONFIG | config, SCHEMA)
    assert message in str(caught.value)


def test_the_environments_hold_the_tested_versions():
    tested = set((REPOSITORY / "requirements.txt").read_text().lower().split())
    for path in (REPOSITORY / "envs").glob("*.yaml"):
        packages = yaml.safe_load(path.read_text())["dependencies"][-1]["pip"]
        assert set(packages) <= tested, path.name


def test_the_bounds_of_tifffile_are_versions_that_are_tested():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    (bounds,) = (line for line in project["dependencies"] if line.startswith("tifffile"))
    oldest, newest = re.fullmatch(r"tifffile>=([\d.]+),<=([\d.]+)", bounds).groups()
    assert f"tifffile=={newest}\n" in (REPOSITORY / "requirements.txt").read_text()
    assert f"tifffile=={oldest}\n" in (REPOSITORY / "Makefile").read_text()


def test_the_network_environment_holds_all_that_the_package_needs():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["cloud"]]
    declared = {re.match(r"[\w-]+", line)[0] for line in lines}
    packages = yaml.safe_load((REPOSITORY / "envs/network.yaml").read_text())["dependencies"][-1]
    installed = {package.split("==")[0] for package in packages["pip"]}
    # No rule needs Snakemake or the Python interface.
    assert declared - {"snakemake", "dask"} == installed
