"""The command line takes the options of the dataclasses, with their defaults and bounds."""

from __future__ import annotations

import json
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from lds_path.cli import cli
from lds_path.errors import UsageError
from lds_path.options.command import options_of, split_class_map, split_classes
from lds_path.options.model import TrainOptions
from lds_path.options.quality import AssessOptions


def test_classes_keep_their_order():
    found = split_classes(("Tumor=#D55E00", "A = B=#000000"))
    assert list(found.items()) == [("Tumor", "#D55E00"), ("A = B", "#000000")]


@pytest.mark.parametrize("pair", ["Tumor", "Tumor=red", "=#000000"])
def test_a_class_that_is_none_is_named(pair):
    with pytest.raises(UsageError, match="is not NAME=#RRGGBB"):
        split_classes((pair,))


def test_a_class_map_may_leave_out_and_name_nothing():
    found = split_class_map(("Tumor: invasive=Tumor", "Region*=", "=Stroma", "a=b=Tumor"))
    assert found == {"Tumor: invasive": "Tumor", "Region*": "", "": "Stroma", "a=b": "Tumor"}


def test_a_class_map_without_a_target_is_named():
    with pytest.raises(UsageError, match="'Krebs' is not ANNOTATION=CLASS"):
        split_class_map(("Krebs",))


@pytest.mark.parametrize("command", cli.commands)
def test_every_command_explains_itself(command):
    result = CliRunner().invoke(cli, [command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output


def test_a_shipped_model_describes_itself():
    result = CliRunner().invoke(cli, ["describe", "demo"])
    assert result.exit_code == 0
    assert result.output.startswith("Model demo: Stroma, Gland, Tumor, Lymphocytes\n")


def asked(defaults, *arguments):
    """Return the options that a command with these gets."""
    found = []

    @click.command()
    @options_of(defaults)
    def command(options):
        found.append(options)

    command.main(list(arguments), standalone_mode=False)
    return found[0]


@pytest.mark.parametrize("defaults", [TrainOptions(), AssessOptions()])
def test_a_command_without_options_takes_the_defaults(defaults):
    assert asked(defaults) == defaults


def test_options_of_groups_lists_and_mappings_are_taken():
    arguments = ["--ladder", "32", "--ladder", "64", "--edge-weight", "3", "--move-chance", "0"]
    found = asked(TrainOptions(), *arguments, "--class-map", "Krebs=Tumor")
    assert found.network.ladder == (32, 64)
    assert found.recipe.edge_weight == 3
    assert found.course.augmentation.move_chance == 0
    assert found.labels.class_map == {"Krebs": "Tumor"}


def test_an_option_under_its_old_name_is_taken_with_a_warning_and_not_in_the_help(caplog):
    assert asked(TrainOptions(), "--foretell", "network").recipe.error_source == "network"
    assert "the option 'foretell' is now called 'error_source'" in caplog.text
    assert "--foretell" not in CliRunner().invoke(cli, ["train", "--help"]).output


@pytest.mark.parametrize(
    ("command", "option", "value", "message"),
    [
        ("tile", "--mpp", "0", "mpp is 0, expected 0.05 to 50 microns per pixel"),
        ("export", "--tolerance-um", "-1", "tolerance_um is -1, expected 0 to 1000"),
        ("export", "--min-object-um2", "nan", "min_object_um2 is nan, expected 0 to 10000000000"),
        (
            "evaluate",
            "--boundary-um",
            "0",
            "boundary_um is 0, expected more than 0 and at most 100",
        ),
        ("segment", "--batch-size", "0", "batch_size is 0, expected a whole number from 1 to 1024"),
        ("assess", "--fail-fold-percent", "-2", "fail_fold_percent is -2, expected 0 to 100"),
        ("export", "--annotation-um2", "inf", "annotation_um2 is inf, expected 0 to 10000000000"),
        (
            "stitch",
            "--mpp",
            "nan",
            "the mpp 'nan' of the label image is unknown; expected `auto`, `working`, or microns per "
            + "pixel, more than 0 and at most 64",
        ),
        (
            "train",
            "--seed",
            "9" * 400,
            "seed is 99999999999999999999, expected a whole number from 0 to 4294967295",
        ),
        (
            "plan",
            "--budget",
            "9" * 400,
            f"the budget '{'9' * 30}' is unknown; expected `uniform`, the mean side of the lattices such as 128 (at most 8192), samples per area of tissue such as 20000/mm2 (at most 1000000000), or seconds of one core such as 30s or 0.2s/mm2",
        ),
        ("train", "--ladder", "0", "ladder is 0, expected a whole number from 1 to 8192"),
        ("train", "--density-floor", "0", "density_floor is 0, expected more than 0 and at most 1"),
    ],
)
def test_a_value_out_of_bounds_is_named_before_anything_is_read(
    tmp_path, command, option, value, message
):
    needed = [one for one in cli.commands[command].params if one.required]
    arguments = [str(tmp_path / one.name) for one in needed if isinstance(one, click.Argument)]
    for one in needed:
        if isinstance(one, click.Option):
            arguments += [one.opts[0], "demo"]
    result = CliRunner().invoke(cli, [command, *arguments, option, value])
    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == message
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("threads", ["-1", "0", "100000", "nan"])
def test_the_number_of_threads_has_bounds(tmp_path, threads):
    result = CliRunner().invoke(cli, ["tile", "a.svs", str(tmp_path / "a"), "--threads", threads])
    assert result.exit_code == 2
    assert "Invalid value for '--threads'" in result.output


def test_the_help_needs_no_library_of_a_stage():
    code = """
import json, sys
import lds_path.cli
heavy = {"torch", "numba", "zarr", "numpy", "yaml", "jsonschema"}
print(json.dumps(sorted(heavy & set(sys.modules))))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(ended.stdout) == []
