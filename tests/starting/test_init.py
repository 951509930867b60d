"""`lds-path init` writes a folder in which Snakemake runs the workflow, and overwrites nothing."""

import os
import re
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import lds_path
from lds_path.cli import cli
from lds_path.errors import ModelError, UsageError
from lds_path.models.card import SHIPPED
from lds_path.run.sheet import COLUMNS, read_sheet
from lds_path.starting.installed import find_workflow
from lds_path.starting.working_folder import configure, make_working_folder

REPOSITORY = Path(__file__).parent.parent.parent
CONFIG = (REPOSITORY / "config.yaml").read_text()
FILES = {
    "Snakefile",
    "config.yaml",
    "slides.tsv",
    "profiles/default/profile.yaml",
    "profiles/slurm/profile.yaml",
}


def files_in(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_clone_is_where_its_workflow_is():
    assert find_workflow() == REPOSITORY


def test_a_package_without_its_workflow_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(lds_path, "__file__", str(tmp_path / "lds_path/__init__.py"))
    with pytest.raises(
        UsageError, match=r"lacks workflow_files/Snakefile, .*install lds-path again"
    ):
        find_workflow()


def test_a_folder_gets_all_that_a_run_needs_and_the_command_says_what_to_do(tmp_path):
    folder = tmp_path / "my study"
    done = CliRunner().invoke(cli, ["init", str(folder)], catch_exceptions=False)
    assert done.exit_code == 0
    assert files_in(folder) == FILES
    assert f"cd '{folder}'\n  snakemake --cores all\n" in done.output
    for profile in ("profiles/default/profile.yaml", "profiles/slurm/profile.yaml"):
        assert (folder / profile).read_text() == (REPOSITORY / profile).read_text()


def test_the_configuration_is_the_shipped_one_but_for_sheet_model_and_classes(tmp_path):
    make_working_folder(tmp_path, "colon-epithelium")
    text = (tmp_path / "config.yaml").read_text()
    changed = {"slides": "slides.tsv", "model": "colon-epithelium", "classes": None}
    assert yaml.safe_load(text) == yaml.safe_load(CONFIG) | changed
    assert re.findall("#.*", text) == [
        comment for comment in re.findall("#.*", CONFIG) if not re.match('#[0-9A-F]{6}"', comment)
    ]


def test_a_model_folder_is_named_from_everywhere(tmp_path, monkeypatch):
    name = 'mine: "1"'
    (tmp_path / name).mkdir()
    (tmp_path / name / "model.json").write_text((SHIPPED / "demo/model.json").read_text())
    monkeypatch.chdir(tmp_path)
    make_working_folder(Path("new"), name)
    config = yaml.safe_load((tmp_path / "new/config.yaml").read_text())
    assert config["model"] == str(tmp_path / name)


def test_the_sheet_has_every_column_and_no_slide_yet(tmp_path):
    make_working_folder(tmp_path, "demo")
    sheet = tmp_path / "slides.tsv"
    with pytest.raises(UsageError, match=r"slides\.tsv lists no slide; add one line a slide"):
        read_sheet(sheet)
    with sheet.open("a") as file:
        file.write("a\tscans/a.svs\n")
    table = read_sheet(sheet)
    assert list(table.index) == ["a"]
    assert table.loc["a", "path"] == str(tmp_path / "scans/a.svs")
    assert list(table.columns) == [*COLUMNS]


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_is_there_is_kept_and_nothing_is_written(tmp_path, name):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(UsageError, match=f"{name} is already there, and nothing is overwritten"):
        make_working_folder(tmp_path, "demo")
    assert files_in(tmp_path) == {name}
    assert (tmp_path / name).read_text() == "mine"


def test_a_folder_with_slides_can_become_the_working_folder(tmp_path):
    (tmp_path / "a.svs").touch()
    make_working_folder(tmp_path, "demo")
    assert files_in(tmp_path) == FILES | {"a.svs"}


def test_a_folder_that_cannot_be_written_is_one_line_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match=r"file/new cannot be written \(Not a directory\)"):
        make_working_folder(tmp_path / "file/new", "demo")
    assert files_in(tmp_path) == {"file"}


def test_what_was_written_before_an_error_is_removed_with_its_folders(tmp_path):
    """A link to nowhere does not exist and cannot be made either."""
    (tmp_path / "new").mkdir()
    (tmp_path / "new/profiles").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match=r"new cannot be written \(File exists\)"):
        make_working_folder(tmp_path / "new", "demo")
    assert os.listdir(tmp_path / "new") == ["profiles"]  # noqa: PTH208 - links, too


def test_an_unknown_model_is_one_line_and_writes_nothing(tmp_path):
    with pytest.raises(
        ModelError, match="the model 'colon-epitelium' does not exist; did you mean"
    ) as caught:
        make_working_folder(tmp_path / "new", "colon-epitelium")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "new").exists()


def test_a_key_is_replaced_with_its_items_and_nothing_else():
    text = "# a\na:\n  - 1\n  - {b: 2}\n\nb:\n  a: 3\n"
    assert configure(text, a=None, b="x: y") == "# a\na: null\n\nb: 'x: y'\n"
