"""Whatever changes in a finished results folder is found, and nothing else."""

import json
import shutil

import pytest
from click.testing import CliRunner

from lds_path.cli import cli
from lds_path.errors import MissingMppError, UsageError
from lds_path.provenance.fingerprint import note_input, sha256
from lds_path.provenance.stage_run import run_stage
from lds_path.provenance.verification import verify


def write(folder, _):
    (folder / "labels.tif").write_bytes(b"labels")
    store = folder / "pyramid.ome.zarr" / "0" / "c"
    store.mkdir(parents=True)
    (store / "0").write_bytes(b"chunk")
    (store.parent / ".zarray").write_text("{}")
    return {}


def refuse(*_):
    raise MissingMppError("b.svs has no microns per pixel; fill the column")


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of two slides, one of them in quarantine, with paths relative to its folder."""
    monkeypatch.chdir(tmp_path)
    results = tmp_path.relative_to(tmp_path) / "results"
    for slide, work in (("a", write), ("b", refuse)):
        (tmp_path / f"{slide}.svs").write_bytes(slide.encode())
        inputs = {"slide": tmp_path / f"{slide}.svs"}
        run_stage("tile", results / "tile" / slide, work, inputs=inputs, parameters={}, slide=slide)
        inputs = {"tile": results / "tile" / slide}
        shard = results / "segment" / slide / "1-of-1"
        run_stage("segment", shard, write, inputs=inputs, parameters={})
    return tmp_path


def findings(run, **options):
    return [str(finding) for finding in verify(run / "results", **options).findings]


def edit(run, place, **changes):
    path = run / "results" / place / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_untouched_results_match(run):
    verification = verify(run / "results", threads=2)
    assert verification.findings == ()
    assert (verification.folders, verification.files) == (4, 4)
    assert str(verification).endswith(": all match")


def test_results_match_after_the_run_was_moved_and_from_any_folder(run, tmp_path, monkeypatch):
    shutil.move(run / "results", tmp_path / "elsewhere" / "results")
    monkeypatch.chdir("/")
    assert verify(tmp_path / "elsewhere" / "results").findings == ()


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("labels.tif", "labels.tif has changed"),
        ("pyramid.ome.zarr/0/c/0", "pyramid.ome.zarr has changed"),
        ("pyramid.ome.zarr/0/.zarray", "pyramid.ome.zarr has changed"),
    ],
)
def test_a_changed_byte_of_an_output_is_found_with_the_remedy(run, place, name):
    path = run / "results/tile/a" / place
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    (found,) = findings(run)
    assert f"results/tile/a/{name}" in found
    assert "expected sha256" in found
    assert "run the workflow again" in found


def test_a_file_renamed_inside_a_store_is_found(run):
    chunk = run / "results/tile/a/pyramid.ome.zarr/0/c/0"
    chunk.rename(chunk.with_name("1"))
    assert len(findings(run)) == 1


def test_missing_and_foreign_outputs_are_found(run):
    (run / "results/tile/a/labels.tif").rename(run / "results/tile/a/notes.tif")
    missing, foreign = findings(run)
    assert "labels.tif is missing" in missing
    assert "notes.tif is not from tile" in foreign


def test_marks_of_other_programs_are_no_findings(run):
    (run / "results/tile/a/.snakemake_timestamp").touch()
    assert findings(run) == []


def test_another_slide_under_the_same_name_is_found_unless_slides_are_left_out(run):
    (run / "a.svs").write_bytes(b"another")
    (found,) = findings(run)
    assert "a.svs is sha256" in found
    assert "put the file back" in found
    assert findings(run, slides=False) == []


def test_a_slide_that_is_gone_is_found_unless_slides_are_left_out(run):
    (run / "a.svs").unlink()
    (found,) = findings(run)
    assert "a.svs is missing" in found
    assert findings(run, slides=False) == []


def test_what_a_training_started_from_is_found_missing_unless_such_inputs_are_left_out(run):
    inputs = {}
    for name in ("encoder", "start/model.json"):
        inputs[name] = run / name.replace("/", "-")
        inputs[name].write_text(name)
    run_stage("train", run / "results/train", write, inputs=inputs, parameters={}, slide="train")
    for file in inputs.values():
        file.unlink()
    assert len(findings(run)) == 2
    assert findings(run, slides=False) == []


def test_results_of_an_earlier_run_of_the_stage_before_are_found(run):
    edit(run, "tile/a", created="another day")
    (found,) = findings(run, slides=False)
    assert "tile/a/manifest.json is sha256" in found
    assert "segment/a/1-of-1, which was made from an earlier one" in found


def test_results_of_another_version_are_one_finding_for_all_folders(run):
    for slide in "ab":
        edit(run, f"segment/{slide}/1-of-1", versions={"numpy": "0.1"})
    (found,) = findings(run)
    assert "has 2 of 4 folders made with numpy 0.1" in found
    assert "expected numpy" in found
    assert findings(run, versions=False) == []


@pytest.mark.parametrize(
    ("content", "word"),
    [(None, "missing"), ("{", "cannot be read"), ("[]", "cannot be read")],
)
def test_a_folder_that_is_not_finished_is_found(run, content, word):
    path = run / "results/segment/a/1-of-1/manifest.json"
    path.unlink()
    if content is not None:
        path.write_text(content)
    (found,) = findings(run)
    assert f"segment/a/1-of-1/manifest.json {word}" in found.replace("is missing", "missing")


@pytest.mark.parametrize("field", ["inputs", "outputs", "results", "versions"])
@pytest.mark.parametrize("value", [None, [1], {"numpy": None}, {"numpy": {"path": 3}}])
def test_a_manifest_of_another_shape_is_a_finding_and_no_crash(run, field, value):
    edit(run, "segment/a/1-of-1", **{field: value})
    assert findings(run) or (field == "results" and isinstance(value, dict))


@pytest.mark.parametrize("seen", [None, [1], {"x": None}, {"tile/a/manifest.json": "0"}])
def test_a_report_that_saw_other_results_is_found(run, seen):
    edit(run, "segment/a/1-of-1", stage="report", results={"manifests": seen}, inputs={})
    assert bool(findings(run)) == isinstance(seen, dict)


def test_a_folder_without_results_is_an_error(tmp_path):
    with pytest.raises(UsageError, match="holds no folder that a stage wrote"):
        verify(tmp_path)


def test_the_command_ends_with_1_when_something_does_not_match_and_with_0_when_all_does(run):
    assert CliRunner().invoke(cli, ["verify", "results"]).exit_code == 0
    (run / "results/tile/a/labels.tif").unlink()
    ended = CliRunner().invoke(cli, ["verify", "results", "--threads", "2"])
    assert ended.exit_code == 1
    lines = ended.stdout.splitlines()
    assert lines[0].startswith("results/tile/a/labels.tif is missing; expected")
    assert lines[-1].endswith(": 1 do not match")


# --- the place of a folder --------------------------------------------------------------------


def finish(run, stage, place, *, slide="a", work=write, **inputs):
    """Let a stage write a folder of the run, from folders of it, with relative paths."""
    results = run.relative_to(run) / "results"
    named = {name: results / other for name, other in inputs.items()}
    run_stage(stage, results / place, work, inputs=named, parameters={}, slide=slide)


def test_the_results_of_one_slide_under_the_name_of_another_are_found(run):
    for slide in "ac":
        finish(run, "export", f"export/{slide}", slide=slide, tile="tile/a")
    shutil.rmtree(run / "results/export/c")
    shutil.copytree(run / "results/export/a", run / "results/export/c")
    (found,) = findings(run)
    assert "export/c/manifest.json is of the slide 'a'; expected 'c'" in found


def test_a_shard_under_the_name_of_another_and_a_slide_under_another_stage_are_found(run):
    edit(run, "segment/a/1-of-1", parameters={"shard": "1-of-1"})
    assert findings(run) == []
    shutil.copytree(run / "results/segment/a/1-of-1", run / "results/segment/a/2-of-2")
    shutil.copytree(run / "results/tile/a", run / "results/stitch/a")
    shard, stage = findings(run)
    assert "2-of-2/manifest.json is of the shard 1-of-1; expected 2-of-2" in shard
    assert "stitch/a/manifest.json is of the stage tile; expected one of stitch" in stage


@pytest.mark.parametrize("slide", ["tile", "segment", "report"])
def test_a_slide_may_have_the_name_of_a_stage(run, slide):
    finish(run, "tile", f"tile/{slide}", slide=slide)
    finish(run, "segment", f"segment/{slide}/1-of-1", slide=slide, tile=f"tile/{slide}")
    assert findings(run) == []


def test_folders_that_people_named_as_they_like_match(run):
    run_stage(
        "stitch", run / "my labels", write, inputs={"tile": run / "results/tile/a"}, parameters={}
    )
    assert verify(run).findings == ()


def test_a_report_that_was_deleted_is_found(run):
    finish(run, "export", "export/a", tile="tile/a")
    assert findings(run) == []  # the run is not over
    finish(run, "assess", "assess/a", tile="tile/a")
    finish(run, "report", "report", slide="cohort")
    assert findings(run) == []
    shutil.rmtree(run / "results/report")
    (found,) = findings(run)
    assert "results/report is missing; expected the report on these slides" in found


@pytest.mark.parametrize("name", ["results", "a copy"])
@pytest.mark.parametrize("place", [".", "backup", "backup/of/today"])
def test_a_copy_is_not_checked_against_its_original(run, tmp_path, name, place):
    if (name, place) == ("results", "."):
        return
    copy = tmp_path / place / name
    shutil.copytree(run / "results", copy)
    assert verify(copy).findings == ()
    assert verify(copy / "segment").findings == ()
    shutil.rmtree(copy / "tile")
    for slides in (True, False):
        found = [str(finding) for finding in verify(copy, slides=slides).findings]
        assert len(found) == 2
        assert all("results/tile/" in line and "is missing; expected" in line for line in found)


# --- inputs of several files ------------------------------------------------------------------


@pytest.fixture
def model(run):
    """The run with a model and a slide of several files."""
    files = [run / "m" / "model.json", run / "m" / "weights"]
    files[0].parent.mkdir()
    for file in files:
        file.write_text(file.name)
    inputs = {
        "slide": note_input(run / "a.svs", [run / "a.svs", run / "b.svs"]),
        "model": note_input(run / "m", files),
    }
    run_stage("plan", run / "results/plan/a", write, inputs=inputs, parameters={}, slide="a")
    assert findings(run) == []
    return run


@pytest.mark.parametrize("place", ["m/model.json", "m/weights"])
def test_each_file_of_a_model_is_compared(model, place):
    (model / place).write_text("another")
    (found,) = findings(model)
    assert f"{place} is sha256" in found
    assert findings(model, slides=False) == []


def test_a_companion_of_a_slide_that_is_gone_is_found(model):
    (model / "b.svs").unlink()
    missing = [found for found in findings(model) if "plan/a" in found]
    assert len(missing) == 1
    assert "b.svs is missing; expected sha256" in missing[0]


def test_a_manifest_that_lists_the_weights_alone_is_still_compared(model):
    weights = model / "m" / "weights"
    older = {"model": {"path": str(weights), "sha256": sha256(weights)}}
    edit(model, "plan/a", inputs=older)
    assert findings(model) == []
    weights.write_text("another")
    assert len(findings(model)) == 1


@pytest.mark.parametrize("files", [None, 3, [1], {}, {"a": None}, {"../x": {}}, {"\0": "1"}])
def test_a_list_of_files_of_another_shape_is_no_crash(model, files):
    edit(model, "plan/a", inputs={"model": {"path": "m", "sha256": "0", "files": files}})
    assert findings(model) or files == {}
