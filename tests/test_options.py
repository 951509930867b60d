from __future__ import annotations

import pytest
from click.testing import CliRunner

from lds_path.cli import cli
from lds_path.errors import UsageError
from lds_path.options import split_class_map, split_classes


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
