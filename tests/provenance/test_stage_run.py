import pytest

from lds_path.errors import MissingMppError, StageInputError, UsageError
from lds_path.provenance.fingerprint import sha256
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.stage_run import run_stage


def finish(folder, _):
    (folder / "data.txt").write_text("data")
    return {"answer": 42}


def fail(folder, _):
    (folder / "data.txt").write_text("half")
    raise MissingMppError("a.svs has no\nmicrons per pixel")


def test_a_finished_stage_says_what_it_made_from_what(tmp_path):
    slide = tmp_path / "a.svs"
    slide.write_bytes(b"slide")
    run_stage("tile", tmp_path / "a", finish, inputs={"slide": slide}, parameters={"mpp": 0.5})
    manifest = read_manifest(tmp_path / "a")
    assert (manifest.stage, manifest.slide, manifest.status) == ("tile", "a", "done")
    assert manifest.results == {"answer": 42}
    assert manifest.inputs["slide"] == {"path": str(slide), "sha256": sha256(slide)}
    assert manifest.parameters == {"mpp": 0.5}
    assert manifest.versions["lds-path"]
    assert manifest.peak_memory_mib > 0


def test_a_slide_problem_leaves_a_manifest_with_its_reason_and_no_data(tmp_path):
    manifest = run_stage("tile", tmp_path / "a", fail, inputs={}, parameters={})
    assert manifest.quarantined
    assert manifest.reason == "a.svs has no microns per pixel"
    assert manifest.quarantined_by == "tile"
    assert not (tmp_path / "a" / "data.txt").exists()


def test_a_strict_stage_fails_and_leaves_nothing_finished(tmp_path):
    with pytest.raises(MissingMppError):
        run_stage("tile", tmp_path / "a", fail, inputs={}, parameters={}, strict=True)
    with pytest.raises(StageInputError, match="did not finish"):
        read_manifest(tmp_path / "a")


def test_a_later_stage_passes_the_reason_on_without_working(tmp_path):
    run_stage("tile", tmp_path / "tile" / "a", fail, inputs={}, parameters={})
    done = run_stage(
        "detect", tmp_path / "out", finish, inputs={"tile": tmp_path / "tile" / "a"}, parameters={}
    )
    assert done.quarantined
    assert (done.slide, done.quarantined_by) == ("a", "tile")
    assert "no microns per pixel" in done.reason
    assert not (tmp_path / "out" / "data.txt").exists()


def test_a_bug_is_not_a_quarantine_and_leaves_no_manifest(tmp_path):
    def work(*_):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_stage("tile", tmp_path / "a", work, inputs={}, parameters={})
    assert not (tmp_path / "a" / "manifest.json").exists()


def test_what_an_earlier_attempt_left_is_removed(tmp_path):
    run_stage("tile", tmp_path / "a", finish, inputs={}, parameters={})
    (tmp_path / "a" / "stale.txt").touch()
    run_stage("tile", tmp_path / "a", finish, inputs={}, parameters={})
    assert not (tmp_path / "a" / "stale.txt").exists()


def test_a_folder_of_the_users_is_never_emptied(tmp_path):
    (tmp_path / "thesis.doc").touch()
    with pytest.raises(UsageError, match=r"already holds thesis\.doc"):
        run_stage("tile", tmp_path, finish, inputs={}, parameters={})
    assert (tmp_path / "thesis.doc").exists()


def test_a_stage_never_empties_its_own_input(tmp_path):
    run_stage("tile", tmp_path / "a", lambda *_: {}, inputs={}, parameters={})
    for output in (tmp_path / "a", tmp_path):
        with pytest.raises(UsageError, match="holds the input"):
            run_stage("b", output, lambda *_: {}, inputs={"a": tmp_path / "a"}, parameters={})
    assert read_manifest(tmp_path / "a").status == "done"


@pytest.mark.parametrize("name", ["file", "file/below", "a" * 300, "loop"])
def test_a_folder_that_cannot_be_made_is_refused(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UsageError, match="cannot be made"):
        run_stage("tile", tmp_path / name, lambda *_: {}, inputs={}, parameters={})
    assert (tmp_path / "file").is_file()
