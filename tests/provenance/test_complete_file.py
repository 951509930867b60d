from __future__ import annotations

import os

import pytest

from lds_path.provenance.complete_file import complete_file


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
