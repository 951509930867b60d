"""A file that another one replaced is found by its hash, whatever the times of the two."""

import json
import os
import shutil

import pytest

from lds_path.provenance.fingerprint import sha256
from lds_path.provenance.stage_run import run_stage
from lds_path.run import replaced_files
from lds_path.run.replaced_files import find_replacements


@pytest.fixture
def record(tmp_path):
    return tmp_path / "files.json"


@pytest.fixture(params=["small", "large"])
def seen(request, tmp_path, record, monkeypatch):
    """A file that was seen by a run and read by a stage: the file and the stage's folder."""
    if request.param == "large":
        monkeypatch.setattr(replaced_files, "SMALL_BYTES", 3)
    path, folder = tmp_path / "a.svs", tmp_path / "tile" / "a"
    path.write_text("first")
    assert find_replacements(record, {str(path): folder}) == {str(path): ""}
    run_stage("tile", folder, lambda *_: {}, inputs={"slide": path}, parameters={})
    return path, folder


def find(record, path, folder):
    return find_replacements(record, {str(path): folder})[str(path)]


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
    assert find_replacements(record, dict.fromkeys(names)) == {}


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00"])
def test_a_damaged_record_is_started_again(record, seen, content):
    path, folder = seen
    record.write_text(content)
    assert find(record, path, folder) == ""
    assert str(path) in json.loads(record.read_text())
