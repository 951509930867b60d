from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lds_path.errors import UsageError
from lds_path.provenance.complete_file import MARKER, complete_file, complete_folder, place_file

REPOSITORY = Path(__file__).parent.parent.parent


def test_a_file_has_its_name_only_when_it_is_complete(tmp_path):
    path = tmp_path / "a.txt"
    with complete_file(path) as partial:
        partial.write_text("half")
        assert not path.exists()
        partial.write_text("whole")
    assert path.read_text() == "whole"
    assert list(tmp_path.iterdir()) == [path]


def test_a_newer_file_takes_the_place_of_an_older_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with complete_file(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new"


def test_a_placed_file_is_the_same_file_under_a_second_name(tmp_path):
    source, target = tmp_path / "a.jpg", tmp_path / "b.jpg"
    source.write_bytes(b"picture")
    place_file(source, target)
    assert target.samefile(source)
    with complete_file(source) as partial:
        partial.write_bytes(b"newer")
    assert target.read_bytes() == b"picture"


def test_without_hard_links_a_placed_file_is_a_copy(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError("Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    source, target = tmp_path / "a.jpg", tmp_path / "b.jpg"
    source.write_bytes(b"picture")
    place_file(source, target)
    assert target.read_bytes() == b"picture"
    assert not target.samefile(source)


@pytest.mark.parametrize("error", [OSError("no space left"), KeyboardInterrupt()])
def test_after_an_error_the_older_file_stays_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(type(error)), complete_file(path) as partial:  # noqa: PT012
        partial.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_does_not_reach_the_disk_does_not_get_its_name(tmp_path, monkeypatch):
    def fail(_):
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"), complete_file(tmp_path / "a") as partial:
        partial.write_text("whole")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("older", [False, True])
def test_of_many_that_write_a_folder_at_a_time_one_wins_whole_and_the_others_say_so(
    tmp_path, older
):
    target = tmp_path / "a"
    if older:
        target.mkdir()
        (target / "old").touch()
    count = 8
    barrier = threading.Barrier(count)

    def write(number):
        with complete_folder(target) as folder:
            barrier.wait()
            for name in ("one", "two"):
                (folder / name).write_text(str(number))
        return number

    def attempt(number):
        try:
            return write(number)
        except UsageError as error:
            return str(error)

    with ThreadPoolExecutor(count) as pool:
        ends = list(pool.map(attempt, range(count)))
    (winner,) = [end for end in ends if isinstance(end, int)]
    assert {(target / name).read_text() for name in ("one", "two")} == {str(winner)}
    assert {path.name for path in target.iterdir()} == {"one", "two", MARKER}
    assert list(tmp_path.iterdir()) == [target]
    assert sum("was written by another process" in str(end) for end in ends) == count - 1


def test_what_a_killed_process_left_is_removed_by_the_next_one_and_what_a_live_one_writes_is_not(
    tmp_path,
):
    program = (
        "import os, sys; from pathlib import Path;"
        "from lds_path.provenance.complete_file import complete_folder;"
        "written = complete_folder(Path(sys.argv[1]));"
        "folder = written.__enter__();"
        "(folder / 'half').touch(); os.kill(os.getpid(), 9)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a")]
    killed = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(REPOSITORY)}, check=False)
    assert killed.returncode == -signal.SIGKILL
    (left,) = tmp_path.iterdir()
    assert (left / "half").exists()
    (tmp_path / ".a.notes").mkdir()  # of the user
    with complete_folder(tmp_path / "a.b") as other:
        assert left.exists()
        with complete_folder(tmp_path / "a") as folder:
            assert {path.name for path in tmp_path.iterdir()} == {
                folder.name, other.name, ".a.notes",
            }  # fmt: skip


def test_a_folder_behind_a_link_is_replaced_and_the_link_stays(tmp_path):
    (tmp_path / "disk" / "old").mkdir(parents=True)
    (tmp_path / "a").symlink_to(tmp_path / "disk" / "old")
    with complete_folder(tmp_path / "a") as folder:
        (folder / "data").touch()
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "disk" / "old" / "data").exists()


def test_others_may_read_a_folder_as_they_may_any_other(tmp_path):
    (tmp_path / "plain").mkdir()
    with complete_folder(tmp_path / "a"):
        pass
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_an_error_on_making_the_folder_names_the_one_that_was_asked_for(tmp_path, monkeypatch):
    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "results").mkdir()
    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(PermissionError) as error, complete_folder(tmp_path / "results" / "a"):
        pass
    assert error.value.filename == str(tmp_path / "results" / "a")
