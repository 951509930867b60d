"""What a run is asked for is checked before anything is written."""

import pytest
import yaml
from click.testing import CliRunner
from snakemake_run import REPOSITORY

from lds_path.cli import cli
from lds_path.direct.request import read_keys, read_request
from lds_path.errors import LdsPathError, UsageError
from lds_path.options.configuration import default_configuration


@pytest.fixture
def slide(tmp_path):
    path = tmp_path / "scans" / "a b.svs"
    path.parent.mkdir()
    path.write_bytes(b"slide")
    return path


def ask(source, output, *, model="demo", mpp=None, config=None):
    file = None
    if config is not None:
        file = output.parent / "mine.yaml"
        file.write_text(config)
    given = {} if file is None else read_keys(file)
    return read_request(source, output, model=model, mpp=mpp, given=given, config_file=file)


def test_a_slide_is_asked_for_with_the_values_of_its_model(slide, tmp_path):
    request = ask(slide, tmp_path / "out", model="colon-epithelium", mpp=0.5)
    assert request.slides == ["a-b"]
    assert request.setup.config["tile"]["mpp"] == 1.1
    assert request.setup.slides.cell("a-b", "mpp") == 0.5
    assert request.warnings == []


def test_keys_of_a_file_replace_defaults(slide, tmp_path):
    config = "model: demo\nexport: {tolerance_um: 2}\nlabels: {class_map: {A: null}}\n"
    setup = ask(slide, tmp_path / "out", model=None, config=config).setup
    assert setup.options["export"].tolerance_um == 2
    assert setup.options["export"].min_object_um2 == 50
    assert setup.options["labels"].class_map == {"A": ""}
    written = yaml.safe_load((tmp_path / "out" / "config.yaml").read_text())
    assert (written["model"], written["tile"]["mpp"]) == ("demo", None)


def test_defaults_are_those_of_the_shipped_configuration():
    shipped = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
    assert default_configuration("demo", "demo") == shipped | {"classes": None}


def test_another_resolution_than_the_model_s_is_a_warning(slide, tmp_path):
    (warning,) = ask(slide, tmp_path / "out", config="tile: {mpp: 2}").warnings
    assert "learned at 0.5" in warning


BAD = {
    "no model": ({"model": None}, "lds-path models"),
    "a model to train": ({"model": "train"}, "snakemake train"),
    "an unknown model": ({"model": "nosuch"}, "the model 'nosuch' does not exist"),
    "a pixel without a size": ({"mpp": float("nan")}, "--mpp is nan; give microns per pixel"),
    "an unknown key": ({"config": "export: {tolerence_um: 2}"}, "mine.yaml.*did you mean"),
    "a value out of bounds": ({"config": "export: {tolerance_um: -1}"}, "mine.yaml.*tolerance_um"),
    "a section that is none": ({"config": "export: 5"}, "mine.yaml.*export"),
    "no keys": ({"config": "- a"}, "mine.yaml holds no keys"),
    "no YAML": ({"config": "a: [b"}, "mine.yaml cannot be read as YAML"),
    "other classes": (
        {"config": 'classes: [{name: A, color: "#112233"}]'},
        "has the classes .*Stroma",
    ),
    "a budget without a ladder": (
        {"config": "plan: {budget: 64}", "model": "glomeruli-pas"},
        "budget",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_done_is_named_in_one_line(slide, tmp_path, case):
    asked, message = BAD[case]
    with pytest.raises(LdsPathError, match=message) as caught:
        ask(slide, tmp_path / "out", **asked)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out" / "config.yaml").exists()


def test_a_sheet_has_its_own_column_for_the_mpp(tmp_path):
    (tmp_path / "slides.tsv").write_text("slide\tpath\na\ta.svs\n")
    with pytest.raises(UsageError, match="fill the column 'mpp'"):
        ask(tmp_path / "slides.tsv", tmp_path / "out", mpp=0.5)


def test_a_folder_that_cannot_be_made_is_named(slide, tmp_path):
    with pytest.raises(UsageError, match=r"cannot be made.*-o"):
        ask(slide, slide / "out")


def test_the_command_ends_with_the_line(tmp_path):
    arguments = ["run", str(tmp_path / "gone.svs"), "-o", str(tmp_path / "out"), "--model", "demo"]
    result = CliRunner().invoke(cli, arguments)
    assert isinstance(result.exception, UsageError)
    assert "gone.svs does not exist" in str(result.exception)
    assert not (tmp_path / "out").exists()
