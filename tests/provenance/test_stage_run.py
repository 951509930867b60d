import os
from pathlib import Path

import pytest
from file_server import file_server

from lds_path.errors import ChangedInputError, MissingMppError, StageInputError, UsageError
from lds_path.provenance.fingerprint import hash_list, note_input, sha256
from lds_path.provenance.manifest import read_manifest
from lds_path.provenance.stage_run import run_stage
from lds_path.remote.address import parse_address


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


def write_again(path):
    path.write_bytes(b"SLIDE")


def touch(path):
    os.utime(path, ns=(1, 1))


def replace(path):
    """By a file of the same size and time, as a careful copy."""
    other = path.with_name("other")
    other.write_bytes(b"SLIDE")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)


CHANGES = [write_again, touch, replace, os.remove]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("ending", [finish, fail])
def test_an_input_that_changes_while_it_is_read_fails_the_stage(tmp_path, change, number, ending):
    """Each file of it, and whatever came of reading it."""
    files = tmp_path / "a.mrxs", tmp_path / "a" / "Data.dat"
    files[1].parent.mkdir()
    for file in files:
        file.write_bytes(b"slide")

    def work(folder, inputs):
        change(files[number])
        return ending(folder, inputs)

    output = tmp_path / "tile" / "a"
    with pytest.raises(ChangedInputError, match="changed while it was read by tile; run") as error:
        run_stage(
            "tile", output, work, inputs={"slide": note_input(files[0], files)}, parameters={}
        )
    assert str(files[number]) in str(error.value)
    assert list(output.parent.iterdir()) == []


@pytest.mark.parametrize("ending", [finish, fail])
def test_an_object_that_is_replaced_while_a_stage_reads_it_fails_the_stage(tmp_path, ending):
    with file_server(a=b"first") as server:
        slide = parse_address(f"{server.address}/a")

        def work(folder, inputs):
            server.files["/a"] = b"other"
            return ending(folder, inputs)

        with pytest.raises(ChangedInputError, match=r"/a changed while it was read by tile; run"):
            run_stage(
                "tile", tmp_path / "a", work, inputs={"slide": note_input(slide)}, parameters={}
            )
    assert list(tmp_path.iterdir()) == []


def test_an_input_that_is_read_before_the_stage_is_noted_before_it_is_read(tmp_path):
    sheet = tmp_path / "slides.tsv"
    sheet.write_text("first")
    noted = note_input(sheet)
    sheet.write_text("second")
    with pytest.raises(ChangedInputError):
        run_stage("report", tmp_path / "out", finish, inputs={"sheet": noted}, parameters={})


def test_results_that_are_made_again_while_a_stage_reads_them_fail_it(tmp_path):
    tile = tmp_path / "tile"
    run_stage("tile", tile, finish, inputs={}, parameters={})

    def work(*_):
        run_stage("tile", tile, finish, inputs={}, parameters={})
        return {}

    with pytest.raises(ChangedInputError):
        run_stage("detect", tmp_path / "out", work, inputs={"tile": tile}, parameters={})


def test_an_input_of_several_files_has_the_hash_of_their_list_and_of_each(tmp_path):
    slide, data = tmp_path / "a.mrxs", tmp_path / "a" / "Data.dat"
    data.parent.mkdir()
    slide.write_bytes(b"slide")
    data.write_bytes(b"data")
    inputs = {"slide": note_input(slide, [slide, data])}
    manifest = run_stage("tile", tmp_path / "tile", finish, inputs=inputs, parameters={})
    hashes = {"a/Data.dat": sha256(data), "a.mrxs": sha256(slide)}
    listed = manifest.inputs["slide"]
    assert listed == {"path": str(slide), "sha256": hash_list(listed["files"]), "files": hashes}
    assert read_manifest(tmp_path / "tile").inputs == manifest.inputs


def test_of_two_stages_on_one_folder_one_wins_and_the_other_says_that_it_lost(tmp_path):
    """The first to begin is overtaken: its folder and that of the other never mix."""
    output = tmp_path / "a"

    def slow(folder, _):
        (folder / "slow.txt").touch()
        run_stage("tile", output, finish, inputs={}, parameters={"mpp": 2.0})
        assert {path.name for path in folder.iterdir()} == {"slow.txt", ".lds-path"}
        return {}

    with pytest.raises(UsageError, match="was written by another process in the meantime"):
        run_stage("tile", output, slow, inputs={}, parameters={"mpp": 0.5})
    assert read_manifest(output).parameters == {"mpp": 2.0}
    assert {path.name for path in output.iterdir()} == {"data.txt", "manifest.json", ".lds-path"}
    assert list(tmp_path.iterdir()) == [output]


def test_a_folder_has_its_name_only_when_it_is_complete(tmp_path):
    def work(folder, _):
        assert list(tmp_path.iterdir()) == [folder]
        return {}

    run_stage("tile", tmp_path / "a", work, inputs={}, parameters={})
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


@pytest.mark.parametrize("relative", [False, True])
def test_a_copy_has_the_path_of_its_original_in_the_manifest(tmp_path, monkeypatch, relative):
    """As in a job that works on copies on the disk of its node."""
    monkeypatch.chdir(tmp_path)
    original = Path("slides/a.svs") if relative else tmp_path / "a.svs"
    copy = tmp_path / "scratch/fs" / str(original).lstrip("/")
    for path in (original, copy):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"slide")
    monkeypatch.setenv("LDS_PATH_COPIES", str(tmp_path / "scratch/fs"))
    manifest = run_stage("tile", Path("a"), finish, inputs={"slide": copy}, parameters={})
    assert manifest.inputs["slide"]["path"] == str(original)
    manifest = run_stage("tile", Path("a"), finish, inputs={"slide": original}, parameters={})
    assert manifest.inputs["slide"]["path"] == str(original)
