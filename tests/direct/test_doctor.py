"""The check of a computer names what fails, and one broken part does not hide the others."""

import pytest
from click.testing import CliRunner

from lds_path.cli import cli
from lds_path.direct import codecs, doctor
from lds_path.direct.doctor import GIB, examine

QUICK = ("versions", "threads", "GPU", "memory", "disk", "writing", "OpenSlide", "codecs")


@pytest.fixture
def checks(tmp_path, monkeypatch):
    """Return a function that returns the checks of a folder by name, without the self-test."""
    monkeypatch.setattr(doctor, "check_itself", lambda: doctor.Check("self-test", "ok", ""))
    return lambda folder=tmp_path: {check.name: check for check in examine(folder)}


def test_a_working_computer_passes(checks):
    found = checks()
    assert tuple(found)[:-1] == QUICK
    assert {check.word for check in found.values()} <= {"ok", "warn"}
    assert found["OpenSlide"].text[0].isdigit()
    assert "jpeg2000" in found["codecs"].text


def test_a_folder_that_is_not_there_yet_is_that_above_it(checks, tmp_path):
    found = checks(tmp_path / "a" / "b")
    assert found["writing"].text == f"{tmp_path} can be written"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_fails(checks, tmp_path):
    (tmp_path / "file").touch()
    check = checks(tmp_path / "file")["writing"]
    assert check.word == "fail"
    assert "cannot be written" in check.text


def test_little_memory_and_disk_are_warnings(checks, monkeypatch):
    monkeypatch.setattr("lds_path.system.memory._container_limits", lambda: [GIB])
    monkeypatch.setattr(doctor, "LITTLE_DISK", 2**70)
    found = checks()
    assert found["memory"].word == found["disk"].word == "warn"
    assert found["memory"].text.startswith("1.0 of 1.0 GiB")


def test_a_missing_package_fails_its_check_only(checks, monkeypatch):
    def break_off():
        raise ImportError("libopenslide.so.1 is missing")

    monkeypatch.setattr("lds_path.slides.readers.openslide.library_version", break_off)
    found = checks()
    assert found["OpenSlide"].word == "fail"
    assert "libopenslide.so.1 is missing" in found["OpenSlide"].text
    assert found["codecs"].word == "ok"


def test_a_codec_that_decodes_nothing_is_named(checks, monkeypatch):
    monkeypatch.setattr(codecs, "CODECS", ("lzw", "nosuch"))
    check = checks()["codecs"]
    assert (check.word, check.text.split()[0]) == ("fail", "nosuch")


def test_the_self_test_segments_a_painted_slide_well():
    check = doctor.check_itself()
    assert check.word == "ok"
    assert float(check.text.split()[-1]) > 0.9


def test_a_bad_self_test_ends_with_exit_code_1(checks, monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "check_itself", lambda: doctor.Check("self-test", "fail", "Dice 0"))
    result = CliRunner().invoke(cli, ["doctor", str(tmp_path)])
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].startswith("fail  self-test")
