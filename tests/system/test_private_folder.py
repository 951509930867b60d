"""A private folder is written by its owner alone, as far as the system knows owners."""

import pytest

from lds_path.system import private_folder as private_folders
from lds_path.system.private_folder import private_folder


def test_a_folder_that_is_not_there_is_made_for_its_owner_alone(tmp_path):
    folder = private_folder(tmp_path / "a" / "b")
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_may_write_is_refused(tmp_path):
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match="can be written by others"):
        private_folder(tmp_path)


def test_a_link_is_refused(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "own")
    with pytest.raises(PermissionError, match="can be written by others"):
        private_folder(tmp_path / "link")


def test_where_files_have_no_owners_a_folder_is_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(private_folders, "HAS_OWNERS", False)
    tmp_path.chmod(0o777)
    assert private_folder(tmp_path) == tmp_path
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        private_folder(tmp_path / "file")
