"""A file that another one replaced is found by its hash, whatever the times of the two."""

import json
import os
import shutil
from pathlib import Path

import pytest
from file_server import file_server

from lds_path.provenance.fingerprint import describe_remote, note_input, sha256
from lds_path.provenance.stage_run import run_stage
from lds_path.remote.address import parse_address
from lds_path.run.replaced_files import WatchedInput, find_replacements


@pytest.fixture
def record(tmp_path):
    return tmp_path / "files.json"


@pytest.fixture
def seen(tmp_path, record):
    """A file that was seen by a run and read by a stage: the file and the stage's folder."""
    path, folder = tmp_path / "a.svs", tmp_path / "tile" / "a"
    path.write_text("first")
    assert find(record, path, folder) == ""
    run_stage("tile", folder, lambda *_: {}, inputs={"slide": path}, parameters={})
    return path, folder


def watch(path, folder, *companions):
    return {str(path): WatchedInput(path, (path, *companions), ((folder, "slide"),))}


def find(record, path, folder):
    return find_replacements(record, watch(path, folder))[str(path)]


def test_another_file_of_the_same_size_and_time_is_found(record, seen, tmp_path):
    path, folder = seen
    times = path.stat()
    other = tmp_path / "other"
    other.write_text("FIRST")
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)
    assert find(record, path, folder) == sha256(path)
    assert find(record, path, folder) == sha256(path)


def test_a_file_that_was_overwritten_by_an_older_one_is_found(record, seen):
    path, folder = seen
    path.write_text("second")
    os.utime(path, (1, 1))
    assert find(record, path, folder) == sha256(path)


def test_every_other_content_is_another_replacement_and_so_is_the_first_one_again(record, seen):
    path, folder = seen
    found = [find(record, path, folder)]
    for text in ("second", "third", "first"):
        path.write_text(text)
        run = find(record, path, folder)
        run_stage("tile", folder, lambda *_: {}, inputs={"slide": path}, parameters={})
        assert find(record, path, folder) == run
        found.append(run)
    assert len(set(found)) == 4


def test_a_touched_or_copied_file_of_the_same_content_is_none(record, seen, tmp_path):
    path, folder = seen
    os.utime(path, (2**31, 2**31))
    assert find(record, path, folder) == ""
    shutil.copy(path, tmp_path / "copy")
    (tmp_path / "copy").replace(path)
    assert find(record, path, folder) == ""


def test_a_file_that_is_missing_for_a_while_keeps_its_entry(record, seen, tmp_path):
    path, folder = seen
    path.write_text("second")
    replaced = find(record, path, folder)
    path.rename(tmp_path / "away")
    assert find(record, path, folder) == replaced
    (tmp_path / "away").rename(path)
    assert find(record, path, folder) == replaced


def test_nothing_is_written_where_nothing_changed(record, seen):
    path, folder = seen
    before = record.stat().st_mtime_ns
    find(record, path, folder)
    assert record.stat().st_mtime_ns == before


def test_a_pipe_a_folder_and_a_missing_file_are_not_read(record, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    names = [str(tmp_path / name) for name in ("pipe", "missing", "nu\0ll", "")]
    watched = {name: WatchedInput(Path(name), (Path(name),)) for name in names}
    assert find_replacements(record, watched) == {}


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00"])
def test_a_damaged_record_is_started_again(record, seen, content):
    path, folder = seen
    record.write_text(content)
    assert find(record, path, folder) == ""
    assert str(path) in json.loads(record.read_text())


def test_another_file_is_found_by_the_stage_that_read_it_or_if_none_did_by_its_first_hash(
    record, tmp_path
):
    """A file that several stages read; one that none has read yet; and one that none records."""
    paths = [tmp_path / name for name in ("labels", "unread", "weights")]
    readers = ((tmp_path / "evaluate", "labels"), (tmp_path / "train", "labels/a"))
    watched = {
        path.name: WatchedInput(path, (path,), read_by)
        for path, read_by in zip(paths, (readers, readers[:1], ()), strict=True)
    }
    for path in paths:
        path.write_bytes(b"first")
    assert set(find_replacements(record, watched).values()) == {""}
    inputs = {"labels/a": paths[0]}
    run_stage("train", tmp_path / "train", lambda *_: {}, inputs=inputs, parameters={})
    for path in paths:
        path.write_bytes(b"other")
    found = find_replacements(record, watched)
    assert found == {"labels": sha256(paths[0]), "unread": "", "weights": sha256(paths[2])}


@pytest.mark.parametrize("change", ["write", "exchange", "add", "remove"])
def test_a_slide_is_another_one_if_any_of_its_files_is(record, tmp_path, change):
    path, folder = tmp_path / "a.mrxs", tmp_path / "tile" / "a"
    one, two, three = (tmp_path / "a" / f"{name}.dat" for name in ("one", "two", "three"))
    one.parent.mkdir()
    for file in (path, one, two):
        file.write_text(file.name)
    before = watch(path, folder, one, two)
    assert find_replacements(record, before) == {str(path): ""}
    inputs = {"slide": note_input(path, (path, one, two))}
    run_stage("tile", folder, lambda *_: {}, inputs=inputs, parameters={})
    os.utime(one)
    assert find_replacements(record, before) == {str(path): ""}
    if change == "write":
        two.write_text("another")
    elif change == "exchange":
        one.rename(three)
        two.rename(one)
        three.rename(two)
    elif change == "add":
        three.touch()
    else:
        two.unlink()
    files = [file for file in (one, two, three) if file.exists()]
    (found,) = find_replacements(record, watch(path, folder, *files)).values()
    assert found
    assert find_replacements(record, watch(path, folder, *files)) == {str(path): found}


def test_an_object_counts_as_replaced_when_it_comes_or_changes_and_not_without_a_network(record):
    with file_server() as server:
        path = parse_address(f"{server.address}/a.svs")
        inputs = {"a": WatchedInput(path, (path,))}
        assert find_replacements(record, inputs) == {}
        server.files["/a.svs"] = b"first"
        first = find_replacements(record, inputs)["a"]
        assert first == sha256_of(path)
        server.files["/a.svs"] = b"second"
        second = find_replacements(record, inputs)["a"]
        assert second not in ("", first)
        server.status = 403
        assert find_replacements(record, inputs) == {"a": second}
        del server.files["/a.svs"]
        server.status = 0
        assert find_replacements(record, inputs) == {"a": second}
        assert server.sent.total() == 0


def sha256_of(path):
    return describe_remote(path)["sha256"]
