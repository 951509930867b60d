"""Whatever changes in a finished results folder is found, and nothing else."""

import json
import shutil

import pytest
from click.testing import CliRunner

from lds_path.cli import cli
from lds_path.errors import MissingMppError, UsageError
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
