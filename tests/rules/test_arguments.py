"""Arguments of the rules' commands come from the sheet, the configuration and the inputs of the job."""

import os
import shutil
from types import SimpleNamespace

import pytest
import yaml
from snakemake_run import REPOSITORY

from lds_path.errors import LabelsError
from lds_path.models.card import find_model
from lds_path.provenance.stage_run import run_stage
from lds_path.rules.arguments import RuleArguments, growing
from lds_path.rules.inputs import RuleInputs
from lds_path.rules.setup import read_schema, set_up_run

WILDCARDS = SimpleNamespace(slide="a")
FEATURE = '{"type": "Feature", "properties": {"classification": {"name": "%s"}}, "geometry": %s}'
SQUARE = '{"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}'


@pytest.fixture
def set_up(tmp_path, monkeypatch):
    """Return a function that sets up a run of a sheet with one slide."""
    monkeypatch.chdir(tmp_path)
    locks = []

    def run(*, slide="a.tif", label_class="Tumor", is_main=True, **changes):
        (tmp_path / "a.tif").write_bytes(b"slide")
        (tmp_path / "a.geojson").write_text(FEATURE % (label_class, SQUARE))
        (tmp_path / "slides.tsv").write_text(
            f"slide\tpath\tmpp\tlabels\tsplit\na\t{slide}\t0.25\ta.geojson\ttrain\n"
        )
        config = yaml.safe_load((REPOSITORY / "config.yaml").read_text())
        config |= {"slides": "slides.tsv", **changes}
        setup = set_up_run(
            config,
            read_schema(REPOSITORY),
            given={},
            files=[],
            base=REPOSITORY,
            results=tmp_path / "results",
            is_main=is_main,
        )
        locks.append(setup.started.lock)
        return setup

    yield run
    for lock in filter(None, locks):
        lock.close()


def test_a_command_gets_the_input_or_else_what_the_sheet_says(set_up, tmp_path):
    path = RuleArguments(set_up()).path("path", "slide", "--slide")
    assert path(WILDCARDS, {"slide": ["copy/a b.tif"]}) == f"--slide '{tmp_path}/copy/a b.tif'"
    missing = RuleArguments(set_up(slide="gone.tif")).path("path", "slide")
    assert missing(WILDCARDS, {"slide": []}).strip() == f"{tmp_path}/gone.tif"


def test_cells_and_sections_become_options(set_up):
    arguments = RuleArguments(set_up(strict=True))
    assert arguments.cell("mpp", "--slide-mpp")(WILDCARDS) == "--slide-mpp 0.25"
    assert arguments.cell("roi", "--roi")(WILDCARDS) == ""
    assert "--boundary-um" in arguments.options("labels", "evaluate")(WILDCARDS)
    assert arguments.strict == "--strict"


def test_the_lattice_that_is_null_comes_from_the_model(set_up):
    setup = set_up(model="colon-epithelium")
    assert setup.config["tile"]["mpp"] == 1.1
    assert "--lattice 256" in RuleArguments(setup).options("detect")(WILDCARDS)


def test_files_that_are_there_are_inputs_whose_times_do_not_matter(set_up):
    inputs = RuleInputs(set_up(), ancient=lambda file: ("ancient", file))
    (mark, file), *_ = inputs.file("path")(WILDCARDS)
    assert (mark, file.rsplit("/", 1)[-1]) == ("ancient", "a.tif")
    assert RuleInputs(set_up(slide="gone.tif"), ancient=str).file("path")(WILDCARDS) == []


def test_a_model_for_overviews_that_is_exchanged_changes_the_arguments_of_its_rule(
    set_up, tmp_path
):
    """By files with the times of those before: the hash decides."""
    model = tmp_path / "overviews"
    shutil.copytree(find_model("demo"), model)
    screen = {"screen": {"model": str(model)}}
    setup = set_up(**screen)
    assert RuleInputs(setup, ancient=lambda file: ("ancient", file)).screening_model(WILDCARDS) == [
        ("ancient", str(model / name)) for name in ("model.json", "weights.safetensors")
    ]
    assert RuleArguments(setup).screening_model_replacement(WILDCARDS) == []
    setup.started.lock.close()
    card = model / "model.json"
    times = card.stat()
    card.write_text(card.read_text() + "\n")
    os.utime(card, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert RuleArguments(set_up(**screen)).screening_model_replacement(WILDCARDS) != []


def test_the_model_that_a_training_starts_from_is_an_input_of_it(set_up):
    section = yaml.safe_load((REPOSITORY / "config.yaml").read_text())["train"]
    setup = set_up(train=section | {"start": "demo"})
    names = [file.rsplit("/", 1)[-1] for file in RuleInputs(setup, str).starting_model(WILDCARDS)]
    assert names == ["model.json", "weights.safetensors"]
    setup.started.lock.close()
    assert RuleInputs(set_up(), str).starting_model(WILDCARDS) == []


def test_weights_of_an_encoder_that_are_exchanged_change_the_arguments_of_the_training(
    set_up, tmp_path
):
    weights = tmp_path / "encoder.safetensors"
    weights.write_bytes(b"first")
    train = yaml.safe_load((REPOSITORY / "config.yaml").read_text())["train"]
    changes = {"train": train | {"encoder_weights": str(weights)}, "model": "train"}
    changes["classes"] = CLASSES
    setup = set_up(**changes)
    inputs = RuleInputs(setup, ancient=lambda file: ("ancient", file))
    assert inputs.encoder_weights(WILDCARDS) == [("ancient", str(weights))]
    assert RuleArguments(setup).training_replacements(WILDCARDS) == []
    run_stage("train", tmp_path / "results/train", lambda *_: {}, inputs={"encoder": weights},
              parameters={})  # fmt: skip
    setup.started.lock.close()
    times = weights.stat()
    weights.write_bytes(b"other")
    os.utime(weights, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert RuleArguments(set_up(**changes)).training_replacements(WILDCARDS) != []


CLASSES = [{"name": "Tumor", "color": "#ff0000"}, {"name": "Other", "color": "#00ff00"}]


def test_labels_are_checked_by_the_process_of_the_run_alone(set_up):
    with pytest.raises(LabelsError, match="'Krebs'"):
        _ = set_up(model="train", classes=CLASSES, label_class="Krebs").training_labels
    job = set_up(model="train", classes=CLASSES, label_class="Krebs", is_main=False)
    assert [file.rsplit("/", 1)[-1] for file in job.training_labels] == ["a.geojson"]


def test_a_job_that_is_repeated_gets_more():
    assert [growing(2000)(None, attempt) for attempt in (1, 2)] == [2000, 4000]
